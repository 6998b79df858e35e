//! What one request knows of its session: as it was opened, and what the request wrote since.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sessile_core::{Changes, FieldName, Fields, Incarnation, Secret, SessionKey, Timestamp, Value};

use super::borrows::{Borrow, Borrows, Changed};
use super::client_cipher::check_size;
use super::client_session::ClientSession;
use super::commit_scope::CommitScope;
use super::cookie::Identity;
use super::cookie_age::CookieAge;
use super::error::SessionError;
use super::local::LocalDraft;
use super::settings::SessionSettings;
use sessile_node::host::{LocalChanges, LocalValues};

/// The request's own view of its session. The node hears of it when its [`changes`](Self::changes) are
/// committed.
#[derive(Default)]
pub(crate) struct Draft {
    state: DraftState,
    opened: Fields,
    changes: Changes,
    borrows: Borrows,
    /// What stays on this node.
    pub(crate) local: LocalDraft,
    /// What this request set of the two; the changes hold it in a form that only the core reads.
    max_inactive: Option<Duration>,
    login: Option<Login>,
    /// What names and values take with the writes; counted when the first one comes.
    weight: Option<usize>,
    /// When a session was made that its cookie carries; `None`: in this request.
    born_at: Option<Duration>,
    /// Its cookie is to be made anew though nothing was written.
    is_outdated: bool,
    /// How long its cookie is kept, as far as that was looked up or set.
    cookie_age: Option<CookieAge>,
}

/// What this request wrote, in a session that its cookie carries: later than what was opened.
const WRITTEN: Timestamp = Timestamp { counter: 2, incarnation: Incarnation(0) };
/// What it is about to write: later still.
const PROPOSED: Timestamp = Timestamp { counter: 3, incarnation: Incarnation(0) };

/// Whether there is a session, and whose it is.
#[derive(Clone, Copy, Default)]
pub(crate) enum DraftState {
    /// There is none.
    #[default]
    Absent,
    /// The cookie is genuine, but nobody who could be asked knows its session. An end of it still counts.
    Unknown(SessionKey),
    /// This request made it.
    New(Identity),
    /// It was opened by the request's cookie.
    Held(Identity),
    /// The request may look at what there is, and what it writes is dropped.
    View(View),
    /// The process itself opened it, outside of any request: nobody has its cookie here.
    Trusted(SessionKey),
    /// Such a session, which ended. No other takes its place, for nobody could be given a cookie.
    Over,
}

/// Why a request only looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// A login superseded the secret of its cookie: it sees what was there before. Only a login of its own
    /// makes a session.
    Superseded,
    /// A browser asks whether it may send the request that it has: there is nothing to see, and no session is
    /// made.
    Preflight,
}

/// Who is logged in, and how that was found out.
#[derive(Clone, Default)]
pub(crate) struct Login {
    pub(crate) principal: Option<String>,
    pub(crate) auth_type: Option<String>,
}

impl Draft {
    /// The draft of a request that opened a session, which has `local` on this node.
    pub(crate) fn held(identity: Identity, opened: Fields, local: Option<Arc<LocalValues>>) -> Self {
        let local = LocalDraft::held(local);
        Self { state: DraftState::Held(identity), opened, local, ..Self::default() }
    }

    /// The draft of a request whose cookie carries its session.
    pub(crate) fn client_side(client_session: ClientSession, is_outdated: bool) -> Self {
        let ClientSession { identity, born_at, fields, .. } = client_session;
        let state = DraftState::Held(identity);
        Self { state, opened: fields, born_at: Some(born_at), is_outdated, ..Self::default() }
    }

    /// The draft of a request whose genuine cookie names a session that nobody knows.
    pub(crate) fn unknown(key: SessionKey) -> Self {
        Self { state: DraftState::Unknown(key), ..Self::default() }
    }

    /// The draft of a request that only looks at `seen`.
    pub(crate) fn view(view: View, seen: Fields) -> Self {
        Self { state: DraftState::View(view), opened: seen, ..Self::default() }
    }

    /// The draft of a caller outside HTTP.
    pub(crate) fn trusted(key: SessionKey, opened: Fields, local: Option<Arc<LocalValues>>) -> Self {
        let local = LocalDraft::held(local);
        Self { state: DraftState::Trusted(key), opened, local, ..Self::default() }
    }

    /// The draft of a caller outside HTTP whose session ended.
    pub(crate) fn over() -> Self {
        Self { state: DraftState::Over, ..Self::default() }
    }

    /// What others wrote meanwhile is seen from now on, under what was written here and is not committed.
    pub(crate) fn reopen(&mut self, opened: Fields) {
        self.opened = opened;
        self.weight = None;
    }

    /// Nobody reads it any more: the node need not copy the fields that it opened to change them.
    pub(crate) fn release(&mut self) {
        if !self.changes.sends_whole() {
            self.cookie_age = self.cookie_age();
            self.opened = Fields::default();
        }
    }

    /// Makes the session that the first write needs; `creation` is its first change.
    pub(crate) fn make(&mut self, identity: Identity, creation: Changes) {
        self.state = DraftState::New(identity);
        self.changes = creation;
    }

    /// A session of its own for a request that only looked: with what it saw, and what it wrote.
    pub(crate) fn make_of_view(&mut self, identity: Identity, creation: Changes) {
        let writes = std::mem::replace(&mut self.changes, creation);
        let opened = std::mem::take(&mut self.opened);
        for (name, value) in opened.attributes() {
            if let Ok(name) = FieldName::attribute(name) {
                self.changes.put(name, Some(value.to_value()));
            }
        }
        for (name, value) in writes.writes() {
            self.changes.put(name.clone(), value.cloned());
        }
        self.state = DraftState::New(identity);
    }

    /// Forgets what was written, and the session that was made for it. A change of the secret stays, and so
    /// does an end. Gives what was to be kept on this node.
    pub(crate) fn discard(&mut self) -> LocalChanges {
        (self.changes, self.borrows, self.weight) = (Changes::new(), Borrows::default(), None);
        (self.max_inactive, self.login, self.cookie_age) = (None, None, None);
        self.forget_new();
        self.local.take_changes()
    }

    /// The node did not take the session that this request made.
    pub(crate) fn forget_new(&mut self) {
        if let DraftState::New(_) = self.state {
            self.state = DraftState::Absent;
        }
    }

    /// The secret of the session that was opened is now `secret`.
    pub(crate) fn renew(&mut self, secret: Secret) {
        if let DraftState::Held(identity) = &mut self.state {
            identity.secret = secret;
            self.is_outdated = true;
        }
    }

    /// What a cookie that carries the session is to hold from `now` on; `None` when the old one may stay.
    pub(crate) fn to_client_session(&self, now: Duration) -> Option<ClientSession> {
        let identity = match self.state {
            DraftState::New(identity) => identity,
            DraftState::Held(identity) if self.is_outdated || !self.changes.is_empty() => identity,
            _ => return None,
        };
        let born_at = self.born_at.unwrap_or(now).min(now);
        Some(ClientSession { identity, born_at, sealed_at: now, fields: self.content() })
    }

    /// All fields with what this request wrote.
    fn content(&self) -> Fields {
        let mut fields = self.opened.clone();
        for (name, value) in self.changes.writes() {
            fields.merge(name.as_str(), WRITTEN, value);
        }
        fields
    }

    /// Refuses a value with which the session's cookie would become too large.
    fn check_cookie(&self, name: &FieldName, value: &Value, beside: usize) -> Result<(), SessionError> {
        let mut fields = self.content();
        fields.merge(name.as_str(), PROPOSED, Some(value));
        check_size(&fields, beside)
    }

    pub(crate) fn state(&self) -> DraftState {
        self.state
    }

    /// The session's key; `None` while there is none.
    pub(crate) fn key(&self) -> Option<SessionKey> {
        match self.state {
            DraftState::New(identity) | DraftState::Held(identity) => Some(identity.key),
            DraftState::Trusted(key) => Some(key),
            DraftState::Absent | DraftState::Unknown(_) | DraftState::View(_) | DraftState::Over => None,
        }
    }

    /// What is to be committed, and to which session; `None` when the request changed nothing.
    pub(crate) fn changes(&self) -> Option<(SessionKey, &Changes)> {
        (!self.changes.is_empty()).then_some((self.key()?, &self.changes))
    }

    /// What a commit carries: each attribute with the bytes of name and value, fields of the system without a
    /// name.
    pub(crate) fn in_commit(&self) -> impl Iterator<Item = (Option<&str>, usize)> {
        let written = self.changes.writes().map(|(name, value)| {
            let bytes = name.as_str().len() + value.map_or(0, |value| value.bytes.len());
            ((!name.is_system()).then_some(name.as_str()), bytes)
        });
        let others = self.changes.sends_whole().then(|| self.opened.attributes()).into_iter().flatten();
        let others = others.filter(|(name, _)| self.changes.written(name).is_none());
        written.chain(others.map(|(name, value)| (Some(name), name.len() + value.bytes.len())))
    }

    pub(crate) fn get(&self, name: &str) -> Option<Value> {
        let here = self.borrows.value(name).or_else(|| self.local.attribute(name));
        here.cloned().or_else(|| self.replicated(name))
    }

    fn replicated(&self, name: &str) -> Option<Value> {
        match self.changes.written(name) {
            Some(written) => written.cloned(),
            None => self.opened.get(name),
        }
    }

    /// The names of all attributes, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: BTreeSet<String> = self.opened.attributes().map(|(name, _)| name.to_owned()).collect();
        for (name, written) in self.changes.writes().filter(|(name, _)| !name.is_system()) {
            if written.is_some() {
                names.insert(name.as_str().to_owned());
            } else {
                names.remove(name.as_str());
            }
        }
        names.extend(self.local.names().cloned());
        names.into_iter().collect()
    }

    /// Writes an attribute that is not too large itself, unless the session would become so.
    pub(crate) fn put(
        &mut self,
        name: FieldName,
        value: Value,
        settings: &SessionSettings,
    ) -> Result<(), SessionError> {
        let max = settings.session.max_session_bytes;
        let before = self.get(name.as_str()).map_or(0, |old| name.as_str().len() + old.bytes.len());
        let bytes = self.weight().saturating_sub(before) + name.as_str().len() + value.bytes.len();
        if bytes > max {
            return Err(SessionError::SessionTooLarge { bytes, max });
        }
        if let Some(beside) = settings.cookie_overhead {
            self.check_cookie(&name, &value, beside)?;
        }
        self.weight = Some(bytes);
        self.borrows.overrule(name.as_str());
        if settings.keeps_here(name.as_str()) {
            self.local.put(&name, value);
        } else {
            self.changes.put(name, Some(value));
        }
        Ok(())
    }

    /// Removes an attribute; says whether there was one.
    pub(crate) fn remove(&mut self, name: FieldName) -> bool {
        let Some(old) = self.get(name.as_str()) else { return false };
        self.weight = Some(self.weight().saturating_sub(old.bytes.len()));
        self.borrows.overrule(name.as_str());
        self.local.remove(&name);
        if self.replicated(name.as_str()).is_some() {
            self.changes.put(name, None);
        }
        true
    }

    /// Writes a note of the session. It is small; no bound is looked at.
    pub(crate) fn note(&mut self, name: FieldName, value: Value) {
        self.changes.put(name, Some(value));
    }

    /// How long the session's cookie is kept; `None`: as configured.
    pub(crate) fn cookie_age(&self) -> Option<CookieAge> {
        self.cookie_age.or_else(|| CookieAge::decode(&self.replicated(CookieAge::field().as_str())?))
    }

    pub(crate) fn set_cookie_age(&mut self, age: CookieAge) {
        self.note(CookieAge::field(), age.encode());
        (self.cookie_age, self.is_outdated) = (Some(age), true);
    }

    /// Whether the cookie is to be made anew though its secret stays.
    pub(crate) fn is_outdated(&self) -> bool {
        self.is_outdated
    }

    /// Gives an attribute out to be changed in place.
    pub(crate) fn borrow(&mut self, name: &FieldName) -> Result<Borrow, SessionError> {
        self.borrows.borrow(name)
    }

    /// Takes it back; says whether it was changed and nobody wrote it meanwhile.
    pub(crate) fn take_back(&mut self, name: &FieldName, borrow: &Borrow, changed: Option<Changed>) -> bool {
        self.borrows.take_back(name, borrow, changed)
    }

    /// Settles what is handed to the node, as the manager says. Returns the attributes whose changes in place
    /// are dropped.
    pub(crate) fn freeze(
        &mut self,
        commit_scope: CommitScope,
        settings: &SessionSettings,
    ) -> Result<Vec<FieldName>, SessionError> {
        let mut dropped = Vec::new();
        for (name, changed) in self.borrows.take_changed() {
            let was_set =
                self.changes.written(name.as_str()).is_some() || self.local.has_written(name.as_str());
            if was_set || commit_scope == CommitScope::Whole {
                let value = changed?;
                settings.check_size(&name, &value)?;
                self.put(name, value, settings)?;
            } else {
                dropped.push(name);
            }
        }
        if commit_scope != CommitScope::Written {
            let was_written = self.changes.writes_any();
            self.changes.keep_changed(&self.opened);
            if was_written || commit_scope == CommitScope::Whole {
                self.changes.send_whole();
            }
        }
        Ok(dropped)
    }

    /// Whether anything is to be written, beside being sent.
    pub(crate) fn writes_any(&self) -> bool {
        self.changes.writes_any()
    }

    /// What is committed travels as a whole copy.
    pub(crate) fn send_whole(&mut self) {
        self.changes.send_whole();
    }

    /// The idle time after which the session ends; `None` when there is no session.
    pub(crate) fn max_inactive(&self) -> Option<Duration> {
        self.max_inactive.or_else(|| self.opened.max_inactive())
    }

    pub(crate) fn set_max_inactive(&mut self, idle: Duration) {
        self.changes.set_max_inactive(idle);
        self.max_inactive = Some(idle);
    }

    /// Who is logged in.
    pub(crate) fn login(&self) -> Login {
        let opened = || Login { principal: self.opened.principal(), auth_type: self.opened.auth_type() };
        self.login.clone().unwrap_or_else(opened)
    }

    pub(crate) fn set_login(&mut self, login: Login) {
        self.changes.set_principal(login.principal.as_deref(), login.auth_type.as_deref());
        self.login = Some(login);
    }

    fn weight(&self) -> usize {
        self.weight.unwrap_or_else(|| self.opened.weight() + self.local.weight())
    }
}
