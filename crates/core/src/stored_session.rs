//! A stored session, decoded for people to read.

use std::fmt;
use std::time::Duration;

use crate::fields::{AUTH_TYPE, MAX_INACTIVE, PRINCIPAL};
use crate::wire::{self, Malformed, Snapshot, StampedField};
use crate::{Codec, FieldRef, SessionKey, Timestamp, ValueRef};

/// The content that [`Node::saveable`](crate::Node::saveable) gave, for tools that show it. A node reads it
/// with [`Node::restore`](crate::Node::restore).
///
/// It shows attributes and who is logged in, never what opens the session.
pub struct StoredSession<'c>(Snapshot<'c>);

impl<'c> StoredSession<'c> {
    /// Reads the content.
    ///
    /// # Errors
    /// These bytes are no session.
    pub fn read(content: &'c [u8]) -> Result<Self, Malformed> {
        let snapshot = wire::decode_saved(content)?;
        if snapshot.fields.iter().any(|field| !field.name.is_valid()) {
            return Err(Malformed::OutOfRange { kind: wire::SAVED, what: "the name of a field" });
        }
        Ok(Self(snapshot))
    }

    /// Which session it is.
    pub fn key(&self) -> SessionKey {
        SessionKey(self.0.key)
    }

    /// How old the session was when it was saved.
    pub fn age(&self) -> Duration {
        Duration::from_millis(self.0.age_ms)
    }

    /// After how much idle time it ends; `None` when it does not.
    pub fn max_inactive(&self) -> Option<Duration> {
        let millis = self.system(MAX_INACTIVE)?.try_into().ok()?;
        Some(Duration::from_millis(u64::from_le_bytes(millis)))
    }

    /// The logged-in user.
    pub fn principal(&self) -> Option<&'c str> {
        std::str::from_utf8(self.system(PRINCIPAL)?).ok()
    }

    /// How that was found out.
    pub fn auth_type(&self) -> Option<&'c str> {
        std::str::from_utf8(self.system(AUTH_TYPE)?).ok()
    }

    /// The attributes that it has: name, timestamp of the last write, value.
    pub fn attributes(&self) -> impl Iterator<Item = (&'c str, Timestamp, ValueRef<'c>)> {
        self.0.fields.iter().filter_map(|field| {
            let (timestamp, value) =
                (field.timestamp(), Some(ValueRef::new(Codec(field.codec), field.value?)));
            let field = FieldRef { name: field.name, timestamp, value };
            Some((field.name.text().filter(|_| !field.is_system())?, timestamp, field.value?))
        })
    }

    fn system(&self, name: &str) -> Option<&'c [u8]> {
        let is_it = |field: &&StampedField<'c>| field.name == name;
        self.0.fields.iter().find(is_it)?.value
    }
}

/// The key only: what a session holds is nobody's business in a log.
impl fmt::Debug for StoredSession<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredSession({})", self.key())
    }
}
