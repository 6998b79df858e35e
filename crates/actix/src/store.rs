//! The store of the stock session middleware.

use std::collections::HashMap;

use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
use actix_web::cookie::time;
use sessile_web::SessionLayer;
use sessile_web::json_store::{JsonMap, JsonSessionStore};

use crate::RequestScope;

const KEY_BYTES: usize = 32;

/// Keeps the sessions of actix-session in the cluster. Clones are the same store; it may go to every worker.
#[derive(Clone, Debug)]
pub struct SessileStore {
    sessions: JsonSessionStore,
}

impl SessileStore {
    /// The store of the application that `layer` is for.
    pub fn new(layer: &SessionLayer) -> Self {
        Self { sessions: JsonSessionStore::new(layer.sessions()) }
    }

    /// The middleware to wrap around the `SessionMiddleware`, so that concurrent requests merge.
    pub fn request_scope(&self) -> RequestScope {
        RequestScope::new(self.sessions.clone())
    }

    /// The session's key, shown in logs and on admin pages; it opens the session for jobs through
    /// [`DetachedSessions::open`](sessile_web::DetachedSessions::open). The cookie's key cannot be found from
    /// it.
    pub fn key(&self, key: &SessionKey) -> sessile_web::SessionKey {
        self.sessions.key("actix-session", key.as_ref().as_bytes())
    }
}

impl SessionStore for SessileStore {
    async fn load(&self, key: &SessionKey) -> Result<Option<HashMap<String, String>>, LoadError> {
        let loaded = self.sessions.load(self.key(key)).await;
        let Some(session) = loaded.map_err(|error| LoadError::Other(error.into()))? else { return Ok(None) };
        let entries = session.attributes.into_iter().map(|(name, json)| {
            let json = String::from_utf8(json.to_vec());
            json.map(|json| (name, json)).map_err(|error| LoadError::Deserialization(error.into()))
        });
        entries.collect::<Result<_, _>>().map(Some)
    }

    async fn save(
        &self,
        state: HashMap<String, String>,
        ttl: &time::Duration,
    ) -> Result<SessionKey, SaveError> {
        let key = new_key().map_err(SaveError::Other)?;
        let created = self.sessions.create(self.key(&key), &to_map(state), idle(ttl)).await;
        created.map_err(|error| SaveError::Other(error.into()))?;
        Ok(key)
    }

    /// Never creates a session: a deleted one stays deleted.
    async fn update(
        &self,
        key: SessionKey,
        state: HashMap<String, String>,
        ttl: &time::Duration,
    ) -> Result<SessionKey, UpdateError> {
        let saved = self.sessions.save(self.key(&key), &to_map(state), idle(ttl)).await;
        saved.map_err(|error| UpdateError::Other(error.into()))?;
        Ok(key)
    }

    async fn update_ttl(&self, key: &SessionKey, ttl: &time::Duration) -> Result<(), anyhow::Error> {
        Ok(self.sessions.touch(self.key(key), idle(ttl)).await?)
    }

    async fn delete(&self, key: &SessionKey) -> Result<(), anyhow::Error> {
        Ok(self.sessions.end(self.key(key)).await?)
    }
}

fn to_map(state: HashMap<String, String>) -> JsonMap {
    state.into_iter().map(|(name, json)| (name, json.into())).collect()
}

/// A time to live that is negative is over.
fn idle(ttl: &time::Duration) -> std::time::Duration {
    (*ttl).try_into().unwrap_or_default()
}

/// 256 random bits in hexadecimal.
fn new_key() -> Result<SessionKey, anyhow::Error> {
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no random bytes: {error}"))?;
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(text.try_into()?)
}
