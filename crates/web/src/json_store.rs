//! What the stores of other session libraries are built on: sessions as maps of JSON texts.
//!
//! Such a library hands its store the whole map at the end of a request. What the request *changed* is the
//! difference to the map that it loaded, so [`JsonSessionStore::request`] remembers that for as long as the
//! request runs: then two requests that change different entries both count, and what one removed stays
//! removed. Without it a save replaces the whole map, and the last one wins.
//!
//! For the authors of such stores; `sessile-tower-sessions` and `sessile-actix` are made with it.

mod entry_names;
mod merge_base;
mod route;

use std::collections::BTreeMap;
use std::future::Future;
use std::time::{Duration, Instant};

use bytes::Bytes;
pub use route::CookieRoute;
use sessile_core::{KEY_BYTES, SessionKey};

use super::detached::DetachedSession;
use super::detached_sessions::DetachedSessions;
use super::error::SessionError;
use sessile_config::OnEnded;

/// The entries of a session, each a JSON text. Names may be any text: what no attribute can be called is kept
/// otherwise.
pub type JsonMap = BTreeMap<String, Bytes>;

/// Idle times that differ by less are the same: libraries compute them from the time of day.
const SAME_IDLE: Duration = Duration::from_secs(1);

/// The header by which an answer tells balancers that the request was not processed; its value is `1`.
pub const UNPROCESSED: &str = "sessile-unprocessed";

/// What a store hands to its library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonSession {
    /// What the session holds.
    pub attributes: JsonMap,
    /// After how much time without a use it ends.
    pub max_inactive: Duration,
}

/// The sessions of one application, as the store of another session library sees them.
#[derive(Clone, Debug)]
pub struct JsonSessionStore {
    sessions: DetachedSessions,
}

impl JsonSessionStore {
    /// The store's view of `sessions`.
    pub fn new(sessions: DetachedSessions) -> Self {
        Self { sessions }
    }

    /// The sessions themselves.
    pub fn sessions(&self) -> &DetachedSessions {
        &self.sessions
    }

    /// The key of the session that `library` calls `id`. The id, which is that library's only secret, cannot
    /// be found from the key, so keys may be shown.
    pub fn key(&self, library: &str, id: &[u8]) -> SessionKey {
        let mut hasher = blake3::Hasher::new_derive_key("sessile key of another library's session v1");
        for part in [library.as_bytes(), self.sessions.app().settings.path.as_bytes()] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        let mut key = [0; KEY_BYTES];
        hasher.update(id).finalize_xof().fill(&mut key);
        SessionKey(key)
    }

    /// Handles a request: passes the gate, lets a graceful stop wait for it, and remembers what it loads.
    ///
    /// # Errors
    /// [`NotServing`](SessionError::NotServing): nothing was done, another node may take the request.
    /// [`OutcomeUnknown`](SessionError::OutcomeUnknown): what came out must not be told.
    pub async fn request<F: Future>(&self, handling: F) -> Result<F::Output, SessionError> {
        let app = self.sessions.app();
        let (began, _running) = (Instant::now(), app.host.request());
        app.statistics.count_request(false);
        app.host.admitted().await.inspect_err(|_| app.statistics.count_unprocessed())?;
        let waited = began.elapsed();
        let (output, used) = merge_base::scope(handling).await;
        if used {
            app.host.admitted().await.map_err(|_| SessionError::OutcomeUnknown)?;
        }
        app.statistics.count_time(began.elapsed(), waited);
        Ok(output)
    }

    /// The session; `None` when there is none. Loading is no use: the idle time goes on. Attributes
    /// that cannot be written as JSON are left out, and stay.
    ///
    /// # Errors
    /// [`NotServing`](SessionError::NotServing).
    pub async fn load(&self, key: SessionKey) -> Result<Option<JsonSession>, SessionError> {
        match self.sessions.look(key).await {
            Ok(session) => {
                let attributes = read(&session);
                merge_base::remember(key, &attributes);
                Ok(Some(JsonSession { attributes, max_inactive: session.max_inactive() }))
            }
            Err(SessionError::Ended | SessionError::Unknown) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a session that ends after `idle` without a use.
    ///
    /// # Errors
    /// [`Ended`](SessionError::Ended) when the key is in use, or was: nothing is overwritten, choose another.
    /// All others of a commit.
    pub async fn create(&self, key: SessionKey, map: &JsonMap, idle: Duration) -> Result<(), SessionError> {
        let session = self.sessions.create(key)?;
        write_difference(&session, &JsonMap::new(), map)?;
        session.set_max_inactive(idle)?;
        self.commit(&session).await?;
        merge_base::remember(key, map);
        Ok(())
    }

    /// Writes what `map` changes of what this request loaded, or replaces all where that is not known. Never
    /// makes a session. One that has ended stays so, and the changes are dropped: silently, or with an error,
    /// as `[session] on_ended` says.
    ///
    /// # Errors
    /// All of a commit; [`Ended`](SessionError::Ended) only with `on_ended = "409"`.
    pub async fn save(&self, key: SessionKey, map: &JsonMap, idle: Duration) -> Result<(), SessionError> {
        match self.write(key, Some(map), idle).await {
            Err(SessionError::Ended | SessionError::Unknown)
                if self.sessions.settings().on_ended == OnEnded::Ignore =>
            {
                tracing::debug!(%key, "the session ended while the request ran; its changes are dropped");
                Ok(())
            }
            saved => saved,
        }
    }

    /// Uses a session, which from now on ends after `idle`; nothing where there is none.
    ///
    /// # Errors
    /// All of a commit.
    pub async fn touch(&self, key: SessionKey, idle: Duration) -> Result<(), SessionError> {
        match self.write(key, None, idle).await {
            Err(SessionError::Ended | SessionError::Unknown) => Ok(()),
            touched => touched,
        }
    }

    /// Ends a session everywhere, for good; nothing brings it back.
    ///
    /// # Errors
    /// As [`DetachedSessions::end`].
    pub async fn end(&self, key: SessionKey) -> Result<(), SessionError> {
        self.sessions.app().statistics.count_send();
        self.sessions.end(key).await.map(drop)
    }

    async fn write(
        &self,
        key: SessionKey,
        map: Option<&JsonMap>,
        idle: Duration,
    ) -> Result<(), SessionError> {
        let session = self.sessions.open(key).await?;
        if let Some(map) = map {
            let base = merge_base::recall(key).unwrap_or_else(|| read(&session));
            write_difference(&session, &base, map)?;
        }
        if session.max_inactive().abs_diff(idle) >= SAME_IDLE {
            session.set_max_inactive(idle)?;
        }
        self.commit(&session).await?;
        if let Some(map) = map {
            merge_base::remember(key, map);
        }
        Ok(())
    }

    async fn commit(&self, session: &DetachedSession) -> Result<(), SessionError> {
        let (began, statistics) = (Instant::now(), &self.sessions.app().statistics);
        let committed = session.commit().await;
        statistics.count_time(Duration::ZERO, began.elapsed());
        if committed?.is_some() {
            statistics.count_send();
        }
        Ok(())
    }
}

/// The attributes of a session that can be written as JSON.
fn read(session: &DetachedSession) -> JsonMap {
    let names = session.names().into_iter();
    let entries = names.filter_map(|name| session.get_json(&name).map(|json| (name, json)));
    entries.map(|(name, json)| entry_names::from_attribute(name, json)).collect()
}

fn write_difference(session: &DetachedSession, base: &JsonMap, map: &JsonMap) -> Result<(), SessionError> {
    for name in base.keys().filter(|name| !map.contains_key(*name)) {
        session.remove(&entry_names::attribute_name(name))?;
    }
    for (name, json) in map.iter().filter(|(name, json)| base.get(*name) != Some(json)) {
        let (attribute, json) = entry_names::to_attribute(name, json);
        session.set_json(&attribute, json)?;
    }
    Ok(())
}
