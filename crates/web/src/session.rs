//! The handle through which an application uses its session.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sessile_core::{Codec, FieldName, Fields, KEY_BYTES, Receipt, Secret, SessionKey, Value};
use tokio::sync::Notify;

use super::accounting::Route;
use super::app::AppSessions;
use super::borrows::{Borrow, Changed};
use super::codec;
use super::commit_scope::CommitScope;
use super::cookie::Identity;
use super::draft::{Draft, DraftState, Login};
use super::error::SessionError;
use super::state::{Closing, State};
use sessile_node::host::{Busy, CommitPermit, Settlement};

/// The session of one request. Found in the request's extensions, or taken as an argument of an axum
/// handler.
///
/// All of it is in memory: no call waits and none does I/O. Reads see the session as it was when the request
/// came, plus what this request wrote. Writes are committed together when the handler has returned its
/// response, be it a success or a 5xx (unless `[session] commit_on_error = false`); a handler that panics, or
/// is dropped because its client hung up, leaves none of them. A session comes into being with the first
/// write. Clones are the same session.
///
/// ```
/// # use sessile_web::{Session, SessionError};
/// async fn count(session: Session) -> Result<String, SessionError> {
///     let visits = session.get::<u32>("visits")?.unwrap_or_default() + 1;
///     session.set("visits", &visits)?;
///     Ok(format!("{visits} visits"))
/// }
/// ```
#[derive(Clone)]
pub struct Session {
    app: Arc<AppSessions>,
    access: Access,
    pub(super) previous_route: Option<Arc<str>>,
    state: Arc<Mutex<State>>,
    done: Arc<Notify>,
}

/// Whether the request's path lets it write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    ReadWrite,
    ReadOnly,
}

impl Session {
    pub(crate) fn new(
        app: Arc<AppSessions>,
        access: Access,
        previous_route: Option<&str>,
        draft: Draft,
    ) -> Self {
        let state = State { draft, ..State::default() };
        Self {
            app,
            access,
            previous_route: previous_route.map(Arc::from),
            state: Arc::new(Mutex::new(state)),
            done: Arc::default(),
        }
    }

    /// The session of a caller outside HTTP, who commits by itself.
    pub(crate) fn detached(app: Arc<AppSessions>, draft: Draft) -> Self {
        let session = Self::new(app, Access::ReadWrite, None, draft);
        session.state.lock().done = true;
        session
    }

    /// The attribute `name`; `None` when there is none.
    ///
    /// # Errors
    /// [`NotDecodable`](SessionError::NotDecodable) when it is no `T`, as after an update of the application:
    /// the attribute is kept as it is, counted ([`Statistics::undecodable`](crate::Statistics::undecodable))
    /// and named in the log. Every other attribute stays readable. Handle it as an absent one
    /// (`session.get("cart").unwrap_or_default()`), or let it become the answer: its body tells the user
    /// nothing of the inside.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, SessionError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        codec::decode(&value).map(Some).map_err(|reason| self.not_decodable(name, reason))
    }

    /// Sets the attribute `name`, making a session when there is none.
    ///
    /// Setting the value that is already there is a write like any other: it is sent, and it supersedes what
    /// another request wrote meanwhile. Only with manager `full` it is none: the session is sent, and the
    /// attribute stays as old as it was.
    pub fn set<T: Serialize + ?Sized>(&self, name: &str, value: &T) -> Result<(), SessionError> {
        let value = codec::encode(value)
            .map_err(|reason| SessionError::NotEncodable { name: name.to_owned(), reason })?;
        self.put(name, value)
    }

    /// The encoded bytes of the attribute `name`, whoever encoded them.
    pub fn get_bytes(&self, name: &str) -> Option<Bytes> {
        self.value(name).map(|value| value.bytes)
    }

    /// Sets the attribute `name` to the application's own bytes, which travel as they are.
    pub fn set_bytes(&self, name: &str, bytes: impl Into<Bytes>) -> Result<(), SessionError> {
        self.put(name, Value::raw(bytes))
    }

    /// The attribute `name` as a JSON text, whoever encoded it; `None` when there is none, or it has no such
    /// form.
    pub fn get_json(&self, name: &str) -> Option<Bytes> {
        codec::to_json(self.value(name)?)
    }

    /// Sets the attribute `name` to a JSON text, which [`get`](Self::get) reads as any type that fits. It is
    /// for applications whose values are JSON already; the text travels as it is.
    pub fn set_json(&self, name: &str, json: impl Into<Bytes>) -> Result<(), SessionError> {
        self.put(name, Value { codec: Codec::JSON, bytes: json.into() })
    }

    /// Removes the attribute `name`; says whether there was one. Never makes a session.
    pub fn remove(&self, name: &str) -> Result<bool, SessionError> {
        let mut state = self.writable()?;
        Ok(state.draft.remove(FieldName::attribute(name)?))
    }

    /// The names of all attributes, in order.
    pub fn names(&self) -> Vec<String> {
        self.used().draft.names()
    }

    /// What names the session in logs and on admin pages; `None` until there is one. It proves nothing to a
    /// browser: there only the cookie opens a session. A job of the application opens it by its key, see
    /// `Cluster::session`.
    pub fn key(&self) -> Option<SessionKey> {
        self.used().draft.key()
    }

    /// Whether this request made the session.
    pub fn is_new(&self) -> bool {
        matches!(self.used().draft.state(), DraftState::New(_))
    }

    /// After how much idle time the session ends.
    pub fn max_inactive(&self) -> Duration {
        self.used().draft.max_inactive().unwrap_or(self.app.settings.session.timeout)
    }

    /// Lets this session end after another idle time than the configured one. Makes a session when there is
    /// none.
    pub fn set_max_inactive(&self, idle: Duration) -> Result<(), SessionError> {
        self.with_session(|draft| draft.set_max_inactive(idle))
    }

    /// Who is logged in, as the application set it.
    pub fn principal(&self) -> Option<String> {
        self.used().draft.login().principal
    }

    /// How it was found out who is logged in, as the application set it.
    pub fn auth_type(&self) -> Option<String> {
        self.used().draft.login().auth_type
    }

    /// Sets who is logged in, and how that was found out; `None` forgets it. Makes a session when there is
    /// none. Call [`change_id`](Self::change_id) at every login.
    pub fn set_principal(
        &self,
        principal: Option<&str>,
        auth_type: Option<&str>,
    ) -> Result<(), SessionError> {
        let login =
            Login { principal: principal.map(str::to_owned), auth_type: auth_type.map(str::to_owned) };
        self.with_session(|draft| draft.set_login(login))
    }

    /// The path of the application's sessions: its context path, or that of all who share them.
    pub fn app_path(&self) -> &str {
        &self.app.settings.path
    }

    /// What became of the request's changes: how many complete copies hold them, or that the session had
    /// ended.
    ///
    /// `None` before they are settled, and when there were none; so it is for layers around the session
    /// layer and for streamed bodies. The response carries the same [`Receipt`] in its extensions.
    pub fn receipt(&self) -> Option<Receipt> {
        self.state.lock().receipt
    }

    /// Waits until the request is over and what it wrote is settled; then as [`receipt`](Self::receipt).
    ///
    /// For jobs that a handler starts: only then they find the session if the request makes it, and read what
    /// the request wrote.
    pub async fn settled(&self) -> Option<Receipt> {
        loop {
            let done = self.done.notified();
            {
                let state = self.state.lock();
                if state.done {
                    return state.receipt;
                }
            }
            done.await;
        }
    }

    /// Waits until the request's writes may be handed to the node; afterwards every write is an error.
    pub(crate) async fn commit_permit(&self) -> Result<CommitPermit, Busy> {
        let writes = self.state.lock().freeze(&self.app, self.commit_scope());
        match writes {
            Some(key) if self.app.client_cipher.is_none() => self.app.host.commit_permit(key).await,
            _ => Ok(CommitPermit::default()),
        }
    }

    /// How much of the session is to be handed to the node.
    fn commit_scope(&self) -> CommitScope {
        match self.access {
            Access::ReadWrite => self.app.settings.commit_scope,
            Access::ReadOnly => CommitScope::Written,
        }
    }

    /// Hands the request's writes to the node, or drops them when they got no commit_permit.
    pub(crate) fn commit(&self, commit_permit: Result<CommitPermit, Busy>, route: &Route) -> Closing {
        let mut state = self.state.lock();
        // Without another handle, and where no cookie needs all of it.
        if Arc::strong_count(&self.state) == 1 && self.app.client_cipher.is_none() {
            state.draft.release();
        }
        let closing = state.commit(&self.app, commit_permit, route);
        drop(state);
        closing.dropped.iter().for_each(|name| self.app.discarded(name.as_str()));
        closing
    }

    /// The request is over: from now on every write is an error.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        (state.over, state.done) = (true, true);
        let claim = state.claim.take();
        drop(state);
        drop(claim);
        self.done.notify_waiters();
    }

    /// Hands what was written so far to the node, and goes on from there.
    pub(crate) async fn commit_trusted(&self) -> Result<Vec<Settlement>, SessionError> {
        let (dropped, written) = self.state.lock().freeze_trusted(&self.app, self.commit_scope())?;
        dropped.iter().for_each(|name| self.app.discarded(name.as_str()));
        let commit_permit = match written {
            Some(key) => self.app.host.commit_permit(key).await.map_err(|Busy| SessionError::Busy)?,
            None => CommitPermit::default(),
        };
        self.state.lock().commit_trusted(&self.app, commit_permit)
    }

    /// From now on reads see `opened`, under what is not committed.
    pub(crate) fn reopen(&self, opened: Fields) {
        self.state.lock().draft.reopen(opened);
    }

    /// A caller outside HTTP learned that its session ended.
    pub(crate) fn forget_ended(&self) {
        self.state.lock().draft = Draft::over();
    }

    pub(crate) fn keep_receipt(&self, receipt: Receipt) {
        self.state.lock().receipt = Some(receipt);
    }

    /// An attribute that was lent comes back, `changed` or not.
    pub(super) fn take_back(&self, name: &FieldName, borrow: &Borrow, changed: Option<Changed>) {
        let mut state = self.state.lock();
        let is_late = state.draft.take_back(name, borrow, changed) && state.over;
        drop(state);
        if is_late {
            self.app.discarded(name.as_str());
        }
    }

    /// A value is not on this node, though there is a session that was made before.
    pub(super) fn count_missed_value(&self) {
        if let DraftState::Held(_) | DraftState::Trusted(_) = self.state.lock().draft.state() {
            self.app.host.count_missed_value();
        }
    }

    /// The attribute is kept; whoever runs the service hears of it.
    pub(super) fn not_decodable(&self, name: &str, reason: String) -> SessionError {
        self.app.undecodable(name, self.state.lock().draft.key(), &reason);
        SessionError::NotDecodable { name: name.to_owned(), reason }
    }

    fn value(&self, name: &str) -> Option<Value> {
        let value = self.used().draft.get(name);
        if value.is_none() && self.app.settings.keeps_here(name) {
            self.count_missed_value();
        }
        value
    }

    pub(super) fn app(&self) -> &Arc<AppSessions> {
        &self.app
    }

    pub(super) fn put(&self, name: &str, value: Value) -> Result<(), SessionError> {
        let name = FieldName::attribute(name)?;
        let settings = &self.app.settings;
        settings.check_size(&name, &value)?;
        let max = settings.session.max_table_bytes;
        if settings.keeps_here(name.as_str()) && self.app.host.local_bytes() + value.bytes.len() > max {
            return Err(SessionError::NoLocalRoom { name: name.as_str().to_owned(), max });
        }
        self.with_session(|draft| draft.put(name, value, settings))?
    }

    /// Writes to the draft of a session, which is made first when there is none.
    pub(super) fn with_session<T>(&self, write: impl FnOnce(&mut Draft) -> T) -> Result<T, SessionError> {
        let mut state = self.writable()?;
        match state.draft.state() {
            DraftState::Over => return Err(SessionError::Ended),
            DraftState::Absent | DraftState::Unknown(_) => {
                let identity = self.new_identity()?;
                state.draft.make(identity, self.app.creation(identity.secret));
            }
            DraftState::New(_) | DraftState::Held(_) | DraftState::View(_) | DraftState::Trusted(_) => {}
        }
        Ok(write(&mut state.draft))
    }

    /// Key and secret of one more session, if there is room for it.
    pub(super) fn new_identity(&self) -> Result<Identity, SessionError> {
        if !self.app.has_room() {
            return Err(SessionError::Full);
        }
        Ok(Identity { key: SessionKey(random()), secret: Secret(random()) })
    }

    /// The request's answer is an error, and `[session] commit_on_error` is off.
    pub(crate) fn discard(&self) {
        let discarded = self.state.lock().draft.discard();
        // Where no lock is held: what the request kept in it may do anything when it goes.
        drop(discarded);
    }

    /// The cookie that came is of a session that had ended before.
    pub(crate) fn came_dead(&self) {
        self.state.lock().came_dead = true;
    }

    /// Whether the cookie carries the session.
    pub(super) fn is_client_side(&self) -> bool {
        self.app.client_cipher.is_some()
    }

    pub(super) fn writable(&self) -> Result<MutexGuard<'_, State>, SessionError> {
        if self.access == Access::ReadOnly {
            return Err(SessionError::ReadOnly);
        }
        let state = self.used();
        if state.over { Err(SessionError::Committed) } else { Ok(state) }
    }

    pub(super) fn used(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock();
        state.used = true;
        state
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = self.state.lock().draft.key();
        f.debug_struct("Session").field("key", &key).field("access", &self.access).finish_non_exhaustive()
    }
}

pub(super) fn random() -> [u8; KEY_BYTES] {
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).expect("no session can be made safely on a system without randomness");
    bytes
}
