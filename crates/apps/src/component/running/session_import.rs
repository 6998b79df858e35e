//! `sessile:web/session` as guests import it, on the [`Session`] of the request.
//!
//! A handle is valid for its request and its session only: an instance that serves another client next finds
//! it invalidated.

use std::time::Duration;

use sessile::{Session, SessionError, SessionKey};
use wasmtime::component::{HasSelf, Linker, Resource};

use super::guest::Guest;

#[allow(missing_docs, unreachable_pub, reason = "generated; the WIT has the words")]
mod bindings {
    wasmtime::component::bindgen!({
        path: "wit/session.wit",
        inline: "package sessile:host; world host { import sessile:web/session@0.1.0; import sessile:web/idempotency@0.1.0; }",
        imports: { default: trappable },
        with: { "sessile:web/session.http-session": super::SessionHandle },
    });
}

use bindings::sessile::web::idempotency;
use bindings::sessile::web::session::{Error, Host, HostHttpSession, add_to_linker};

/// Why a guest that shares the sessions of other applications does not say who is logged in there.
const NO_PRINCIPALS: &str =
    "these sessions are shared, and this node does not grant their principals: [farm.grants] principals";

/// A guest's handle of a session.
#[allow(unreachable_pub, reason = "the generated module, which is public, names it")]
pub struct SessionHandle {
    request: u64,
    key: SessionKey,
}

type Handle = Resource<SessionHandle>;
type CallResult<T> = wasmtime::Result<Result<T, Error>>;

/// Adds the interface to the linker.
pub(super) fn offer(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    idempotency::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)?;
    add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)
}

impl Guest {
    fn handle(&mut self, key: SessionKey) -> wasmtime::Result<Handle> {
        let request = self.request_number();
        Ok(self.table.push(SessionHandle { request, key })?)
    }

    /// Runs `act` on the session of a handle.
    fn with<T>(&self, handle: &Handle, act: impl FnOnce(&Session) -> Result<T, Error>) -> CallResult<T> {
        let handle = self.table.get(handle)?;
        let session = self
            .session()
            .filter(|session| handle.request == self.request_number() && session.key() == Some(handle.key));
        Ok(session.ok_or(Error::Invalidated).and_then(act))
    }

    /// The same for writes.
    fn write<T>(
        &self,
        handle: &Handle,
        act: impl FnOnce(&Session) -> Result<T, SessionError>,
    ) -> CallResult<T> {
        let is_late = self.head_is_set();
        self.with(
            handle,
            |session| {
                if is_late { Err(Error::Committed) } else { act(session).map_err(Error::from) }
            },
        )
    }
}

impl idempotency::Host for Guest {
    fn new_key(&mut self) -> wasmtime::Result<String> {
        Ok(sessile::idempotency_key())
    }
}

impl Host for Guest {
    fn current(&mut self) -> wasmtime::Result<Option<Handle>> {
        let key = self.session().and_then(Session::key);
        key.map(|key| self.handle(key)).transpose()
    }

    fn get_or_create(&mut self) -> CallResult<Handle> {
        if let Some(handle) = self.current()? {
            return Ok(Ok(handle));
        }
        let Some(session) = self.session().filter(|_| !self.head_is_set()) else {
            return Ok(Err(Error::Committed));
        };
        // A session is created by its first write.
        let key = match session.set_max_inactive(session.max_inactive()) {
            Ok(()) => session.key().ok_or(Error::Invalidated),
            Err(error) => Err(error.into()),
        };
        match key {
            Ok(key) => self.handle(key).map(Ok),
            Err(error) => Ok(Err(error)),
        }
    }
}

impl HostHttpSession for Guest {
    fn key(&mut self, of: Handle) -> CallResult<String> {
        let key = self.table.get(&of)?.key;
        self.with(&of, |_| Ok(key.to_string()))
    }

    fn is_new(&mut self, of: Handle) -> CallResult<bool> {
        self.with(&of, |session| Ok(session.is_new()))
    }

    fn names(&mut self, of: Handle) -> CallResult<Vec<String>> {
        self.with(&of, |session| Ok(session.names()))
    }

    fn get(&mut self, of: Handle, name: String) -> CallResult<Option<Vec<u8>>> {
        self.with(&of, |session| Ok(session.get_bytes(&name).map(Vec::from)))
    }

    fn set(&mut self, of: Handle, name: String, value: Vec<u8>) -> CallResult<()> {
        self.write(&of, |session| session.set_bytes(&name, value))
    }

    fn get_json(&mut self, of: Handle, name: String) -> CallResult<Option<String>> {
        let json = |session: &Session| session.get_json(&name).map(Vec::from);
        self.with(&of, |session| Ok(json(session).and_then(|json| String::from_utf8(json).ok())))
    }

    fn set_json(&mut self, of: Handle, name: String, json: String) -> CallResult<()> {
        self.write(&of, |session| session.set_json(&name, json))
    }

    fn remove(&mut self, of: Handle, name: String) -> CallResult<bool> {
        self.write(&of, |session| session.remove(&name))
    }

    fn max_inactive_interval(&mut self, of: Handle) -> CallResult<u32> {
        let seconds = |session: &Session| session.max_inactive().as_secs().try_into().unwrap_or(u32::MAX);
        self.with(&of, |session| Ok(seconds(session)))
    }

    fn set_max_inactive_interval(&mut self, of: Handle, seconds: u32) -> CallResult<()> {
        self.write(&of, |session| session.set_max_inactive(Duration::from_secs(seconds.into())))
    }

    fn principal(&mut self, of: Handle) -> CallResult<Option<String>> {
        self.with(&of, |session| Ok(session.principal()))
    }

    fn set_principal(&mut self, of: Handle, name: Option<String>) -> CallResult<()> {
        if !self.may_set_principal() {
            return self.with(&of, |_| Err(Error::Unavailable(NO_PRINCIPALS.to_owned())));
        }
        self.write(&of, |session| session.set_principal(name.as_deref(), None))
    }

    fn change_id(&mut self, of: Handle) -> CallResult<()> {
        self.write(&of, Session::change_id)
    }

    fn invalidate(&mut self, of: Handle) -> CallResult<()> {
        self.write(&of, |session| session.invalidate().map(|_| ()))
    }

    fn drop(&mut self, handle: Handle) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

impl From<SessionError> for Error {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::AttributeTooLarge { max, .. } | SessionError::SessionTooLarge { max, .. } => {
                Self::TooLarge(max as u64)
            }
            SessionError::BadName(_) => Self::BadName,
            SessionError::ReadOnly => Self::ReadOnly,
            SessionError::Committed => Self::Committed,
            SessionError::Full | SessionError::TableFull => Self::TooManySessions,
            SessionError::Ended | SessionError::Unknown => Self::Invalidated,
            other => Self::Unavailable(other.to_string()),
        }
    }
}
