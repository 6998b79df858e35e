//! What one request knows of its session: as it was opened, and what the request wrote since.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sessile_core::{Changes, Create, FieldName, Fields, Opened, Secret, SessionKey, Value};

use super::cookie::Identity;
use super::error::SessionError;

/// The request's own view of its session. The node hears of it when its [`changes`](Self::changes) are committed.
#[derive(Default)]
pub(crate) struct Draft {
    standing: Standing,
    opened: Option<Opened>,
    writes: BTreeMap<FieldName, Option<Value>>,
    max_inactive: Option<Duration>,
    principal: Option<Option<String>>,
    /// What names and values take with the writes; counted when the first one comes.
    weight: Option<usize>,
}

/// Whether there is a session, and whose it is.
#[derive(Clone, Copy, Default)]
pub(crate) enum Standing {
    /// There is none.
    #[default]
    Absent,
    /// The cookie is genuine, but nobody who could be asked knows its session. An end of it still counts.
    Unknown(SessionKey),
    /// This request made it.
    New(Identity),
    /// It was opened by the request's cookie.
    Held(Identity),
}

impl Draft {
    /// The draft of a request that opened a session.
    pub(crate) fn held(identity: Identity, opened: Opened) -> Self {
        Self { standing: Standing::Held(identity), opened: Some(opened), ..Self::default() }
    }

    /// The draft of a request whose genuine cookie names a session that nobody knows.
    pub(crate) fn unknown(key: SessionKey) -> Self {
        Self { standing: Standing::Unknown(key), ..Self::default() }
    }

    pub(crate) fn standing(&self) -> Standing {
        self.standing
    }

    /// Whose the session is; `None` while there is none.
    pub(crate) fn identity(&self) -> Option<Identity> {
        match self.standing {
            Standing::New(identity) | Standing::Held(identity) => Some(identity),
            Standing::Absent | Standing::Unknown(_) => None,
        }
    }

    /// Makes the session that the first write needs.
    pub(crate) fn make(&mut self, identity: Identity) {
        self.standing = Standing::New(identity);
    }

    /// The node did not take the session that this request made.
    pub(crate) fn forget_new(&mut self) {
        if let Standing::New(_) = self.standing {
            self.standing = Standing::Absent;
        }
    }

    /// The session's secret is now `secret`.
    pub(crate) fn renew(&mut self, secret: Secret) {
        if let Standing::New(identity) | Standing::Held(identity) = &mut self.standing {
            identity.secret = secret;
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<Value> {
        match self.writes.get(name) {
            Some(written) => written.clone(),
            None => self.fields()?.get(name),
        }
    }

    /// The names of all attributes, in order.
    pub(crate) fn names(&self) -> Vec<String> {
        let opened = self.fields().into_iter().flat_map(Fields::attributes);
        let mut names: BTreeSet<String> = opened.map(|(name, _)| name.to_owned()).collect();
        for (name, written) in &self.writes {
            if written.is_some() {
                names.insert(name.as_str().to_owned());
            } else {
                names.remove(name.as_str());
            }
        }
        names.into_iter().collect()
    }

    /// Writes an attribute, unless the session would become larger than `max` bytes.
    pub(crate) fn put(&mut self, name: FieldName, value: Value, max: usize) -> Result<(), SessionError> {
        let before = self.get(name.as_str()).map_or(0, |old| name.as_str().len() + old.bytes.len());
        let bytes = self.weight().saturating_sub(before) + name.as_str().len() + value.bytes.len();
        if bytes > max {
            return Err(SessionError::SessionTooLarge { bytes, max });
        }
        self.weight = Some(bytes);
        self.writes.insert(name, Some(value));
        Ok(())
    }

    /// Removes an attribute; says whether there was one.
    pub(crate) fn remove(&mut self, name: FieldName) -> bool {
        let Some(old) = self.get(name.as_str()) else { return false };
        self.weight = Some(self.weight().saturating_sub(old.bytes.len()));
        self.writes.insert(name, None);
        true
    }

    /// The idle time after which the session ends; `None` when the application's own holds.
    pub(crate) fn max_inactive(&self) -> Option<Duration> {
        self.max_inactive.or_else(|| Some(self.opened.as_ref()?.max_inactive))
    }

    pub(crate) fn set_max_inactive(&mut self, idle: Duration) {
        self.max_inactive = Some(idle);
    }

    pub(crate) fn principal(&self) -> Option<String> {
        match &self.principal {
            Some(written) => written.clone(),
            None => self.opened.as_ref()?.principal.clone(),
        }
    }

    pub(crate) fn set_principal(&mut self, principal: Option<String>) {
        self.principal = Some(principal);
    }

    /// What is to be committed, and to which session; `None` when the request changed nothing.
    pub(crate) fn changes(&self, create: impl FnOnce(Secret) -> Create) -> Option<(SessionKey, Changes)> {
        let identity = self.identity()?;
        let create = matches!(self.standing, Standing::New(_)).then(|| create(identity.secret));
        let written = !self.writes.is_empty() || self.max_inactive.is_some() || self.principal.is_some();
        (create.is_some() || written).then(|| {
            let changes = Changes {
                create,
                fields: self.writes.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
                max_inactive: self.max_inactive,
                principal: self.principal.clone(),
                ..Changes::default()
            };
            (identity.key, changes)
        })
    }

    fn fields(&self) -> Option<&Fields> {
        Some(&self.opened.as_ref()?.fields)
    }

    fn weight(&self) -> usize {
        self.weight.unwrap_or_else(|| self.fields().map_or(0, Fields::weight))
    }
}
