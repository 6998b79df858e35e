//! The store of the stock session layer.

use sessile_web::json_store::JsonSessionStore;
use sessile_web::{SessionKey, SessionLayer};

use crate::RequestLayer;

/// Keeps the sessions of tower-sessions in the cluster. Clones are the same store. It is a store for each
/// version of tower-sessions whose feature is on.
#[derive(Clone, Debug)]
pub struct SessileStore {
    pub(crate) sessions: JsonSessionStore,
}

/// The id of a session, of whichever version of tower-sessions.
pub trait StoreSessionId {
    /// Its number.
    fn number(&self) -> i128;
}

impl SessileStore {
    /// The store of the application that `layer` is for. The layer itself is not to be put around it.
    pub fn new(layer: &SessionLayer) -> Self {
        Self { sessions: JsonSessionStore::new(layer.sessions()) }
    }

    /// The layer to put around the `SessionManagerLayer`, so that concurrent requests merge.
    pub fn request_layer(&self) -> RequestLayer {
        RequestLayer::new(self.sessions.clone())
    }

    /// The session's key, shown in logs and on admin pages; it opens the session for jobs through
    /// [`DetachedSessions::open`](sessile_web::DetachedSessions::open). The id cannot be found from it.
    pub fn key(&self, id: &impl StoreSessionId) -> SessionKey {
        self.sessions.key("tower-sessions", &id.number().to_le_bytes())
    }
}
