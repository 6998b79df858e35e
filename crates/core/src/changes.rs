//! The changes of one request to a session, and the reasons to refuse them.

use std::borrow::Cow;
use std::time::Duration;

use thiserror::Error;

use crate::fields::{AUTH_TYPE, MAX_AGE, MAX_INACTIVE, PRINCIPAL};
use crate::secrets::{self, SecretHash};
use crate::session::{duration_value, secret_hash};
use crate::{AppId, FieldName, Fields, Secret, SessionKey, Value};

/// The changes of one request: committed together, with one timestamp, or not at all.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    pub(crate) create: Option<AppId>,
    pub(crate) writes: Vec<(FieldName, Option<Value>)>,
    pub(crate) synchronous: bool,
    pub(crate) whole: bool,
    /// The secret that is superseded, its successor, and after how many writes: what that writes depends on
    /// the session.
    pub(crate) secret_change: Option<(SecretHash, SecretHash, usize)>,
}

impl Changes {
    /// No change yet to a session that exists.
    pub fn new() -> Self {
        Self::default()
    }

    /// The making of a session of `app` that lives until nobody used it for `max_inactive`, and at most
    /// `max_age`.
    pub fn create(app: AppId, secret: Secret, max_inactive: Duration, max_age: Option<Duration>) -> Self {
        let mut changes = Self { create: Some(app), ..Self::default() };
        changes.set_max_inactive(max_inactive);
        if let Some(max_age) = max_age {
            changes.put_system(MAX_AGE, Some(duration_value(max_age)));
        }
        changes.put(FieldName::secret(secret_hash(secret)), Some(secrets::valid(None)));
        changes
    }

    /// Nothing would be sent.
    pub fn is_empty(&self) -> bool {
        !self.writes_any() && !self.whole
    }

    /// Whether this writes something, be it only that there is a session now.
    pub fn writes_any(&self) -> bool {
        self.create.is_some() || !self.writes.is_empty() || self.secret_change.is_some()
    }

    /// Forgets the writes that leave a field as it was in `opened`, so that these fields keep the timestamps
    /// they have. Of a session that this makes, nothing is forgotten.
    pub fn keep_changed(&mut self, opened: &Fields) {
        if self.create.is_none() {
            self.writes.retain(|(name, value)| opened.get(name.as_str()) != *value);
        }
    }

    /// Whether this makes a session.
    pub fn creates(&self) -> bool {
        self.create.is_some()
    }

    /// Sets (or with `None` removes) a field. Of several changes of one name the last one counts.
    pub fn put(&mut self, name: FieldName, value: Option<Value>) {
        match self.writes.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.writes.push((name, value)),
        }
    }

    /// The value that this request gave to a name, if it did: `Some(None)` when it removed it.
    pub fn written(&self, name: &str) -> Option<Option<&Value>> {
        self.writes.iter().find(|(known, _)| known.as_str() == name).map(|(_, value)| value.as_ref())
    }

    /// The fields that are changed, and to what; `None` where one is removed.
    pub fn writes(&self) -> impl Iterator<Item = (&FieldName, Option<&Value>)> {
        self.writes.iter().map(|(name, value)| (name, value.as_ref()))
    }

    /// How long nobody may use the session before it expires.
    pub fn set_max_inactive(&mut self, max_inactive: Duration) {
        self.put_system(MAX_INACTIVE, Some(duration_value(max_inactive)));
    }

    /// The logged-in user and the kind of login; `None` forgets both.
    pub fn set_principal(&mut self, principal: Option<&str>, auth_type: Option<&str>) {
        let text = |text: Option<&str>| text.map(|text| Value::raw(text.as_bytes().to_vec()));
        self.put_system(PRINCIPAL, text(principal));
        self.put_system(AUTH_TYPE, text(auth_type));
    }

    /// A login: `new` opens the session from now on, `old` no longer. Always synchronous. Rules 2.14 and 8.2.
    pub fn change_secret(&mut self, old: Secret, new: Secret) {
        self.secret_change = Some((secret_hash(old), secret_hash(new), self.writes.len()));
        self.synchronous = true;
    }

    /// The same with what the change of the secret writes to a session, of which `session` gives the fields
    /// and the age; of one whose content is not here, the old secret is forgotten. Without such a change the
    /// session is not looked up.
    pub(crate) fn with_secrets<'s>(
        &self,
        session: impl FnOnce() -> Option<(&'s Fields, Duration)>,
    ) -> Cow<'_, Self> {
        let Some((old, new, at)) = self.secret_change else { return Cow::Borrowed(self) };
        let mut changes = Self { secret_change: None, ..self.clone() };
        let writes = match session() {
            Some((fields, age)) => secrets::change(fields, old, new, age),
            None => vec![
                (FieldName::secret(old), None),
                (FieldName::secret(new), Some(secrets::valid(Some(old)))),
            ],
        };
        let at = at.min(changes.writes.len());
        changes.writes.splice(at..at, writes);
        Cow::Owned(changes)
    }

    /// Settled when every member holds it, in asynchronous mode too.
    pub fn wait_for_all(&mut self) {
        self.synchronous = true;
    }

    /// Every member gets a complete copy with this commit, each field with the timestamp it has, instead of
    /// the changes alone. Without any write it is sent all the same, and no field gets a new timestamp.
    pub fn send_whole(&mut self) {
        self.whole = true;
    }

    /// Whether this may change when the session is due: only fields of the system say that.
    pub(crate) fn says_when(&self) -> bool {
        self.creates() || self.writes.iter().any(|(name, _)| name.is_system())
    }

    /// Whether every member gets a complete copy.
    pub fn sends_whole(&self) -> bool {
        self.whole
    }

    fn put_system(&mut self, name: &str, value: Option<Value>) {
        self.put(FieldName::received(name).expect("the names of system fields are valid"), value);
    }

    /// Bytes of names and values.
    pub(crate) fn weight(&self) -> usize {
        let value_bytes = |value: &Option<Value>| value.as_ref().map_or(0, |value| value.bytes.len());
        self.writes.iter().map(|(name, value)| name.as_str().len() + value_bytes(value)).sum()
    }
}

/// The system fields of a session, read by their meaning.
impl Fields {
    /// How long nobody may use the session before it expires.
    pub fn max_inactive(&self) -> Option<Duration> {
        self.duration(MAX_INACTIVE)
    }

    /// How old it may get, however much it is used.
    pub(crate) fn max_age(&self) -> Option<Duration> {
        self.duration(MAX_AGE)
    }

    /// The logged-in user.
    pub fn principal(&self) -> Option<String> {
        self.text(PRINCIPAL)
    }

    /// How that was found out.
    pub fn auth_type(&self) -> Option<String> {
        self.text(AUTH_TYPE)
    }

    fn duration(&self, name: &str) -> Option<Duration> {
        let value = self.field(name)?.value?;
        Some(Duration::from_millis(u64::from_le_bytes(value.bytes.try_into().ok()?)))
    }

    fn text(&self, name: &str) -> Option<String> {
        String::from_utf8(self.get(name)?.bytes.to_vec()).ok()
    }
}

/// By what right a session is opened.
#[derive(Clone, Copy, Debug)]
pub enum Proof {
    /// The secret in the cookie.
    Secret(Secret),
    /// The process itself: a job, a socket that was opened under the session.
    Trusted,
}

/// A session as a request sees it: as it was opened, whatever others commit meanwhile.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The session.
    pub key: SessionKey,
    /// Its application.
    pub app: AppId,
    /// Its fields as they were.
    pub fields: Fields,
}

/// The result of opening a session.
#[derive(Clone, Debug)]
pub enum Opening {
    /// Here it is. [`Node::close`](crate::Node::close) must be called once for it.
    Open(Opened),
    /// Not here, or idle: every member is being asked. `open_answered` follows `Effect::Answered`.
    Asking,
    /// There is no such session for this request.
    Absent(Absent),
}

/// Why there is no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// No member knows it.
    Unknown,
    /// It ended.
    Ended,
    /// The secret was changed at a login, or never was one of this session.
    WrongSecret,
    /// Another member has it, but there is no room for a copy here.
    NoRoom,
}

/// Why a commit was refused. Nothing of it was applied.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The session ended while the request ran.
    #[error("the session ended while the request ran: its changes are dropped")]
    Ended,
    /// `max_table_bytes` is reached, and the session would become larger.
    #[error("no room for the session to grow: raise [session] max_table_bytes, or end some sessions")]
    NoRoomToGrow,
    /// `max_active` is reached.
    #[error("no room for one more session: [session] max_active is reached; raise it, or end some")]
    Full,
    /// The copies of the session's part of the table take their share of `max_table_bytes`.
    #[error(
        "no room for one more session: the copies take all of [session] max_table_bytes; raise it, or end some"
    )]
    TableFull,
    /// `max_attribute_bytes` is exceeded.
    #[error("attribute `{name}` has {bytes} bytes, more than [session] max_attribute_bytes = {max}")]
    AttributeTooLarge {
        /// The attribute.
        name: String,
        /// Its size.
        bytes: usize,
        /// The bound.
        max: usize,
    },
    /// `max_session_bytes` is exceeded.
    #[error("the session would have {bytes} bytes, more than [session] max_session_bytes = {max}")]
    SessionTooLarge {
        /// Its size with the changes.
        bytes: usize,
        /// The bound.
        max: usize,
    },
}
