//! The sessions of one application, for callers outside HTTP.

use std::sync::Arc;

use sessile_core::{Fields, Proof, Receipt, Secret, SessionKey};

use super::app::AppSessions;
use super::cookie::Identity;
use super::detached::DetachedSession;
use super::draft::Draft;
use super::error::SessionError;
use super::session::random;
use sessile_config as config;

/// The sessions of one application, for websockets, streams, background jobs and every caller outside HTTP;
/// see [`SessionLayer::sessions`](super::SessionLayer::sessions). Clones are the same.
///
/// Whoever has it is trusted: it opens sessions by their keys, which are no secret.
#[derive(Clone)]
pub struct DetachedSessions {
    app: Arc<AppSessions>,
}

impl DetachedSessions {
    pub(crate) fn new(app: Arc<AppSessions>) -> Self {
        Self { app }
    }

    /// Opens a session, on whichever member it was made. This is a use: its idle time begins anew.
    ///
    /// # Errors
    /// [`Ended`](SessionError::Ended) or [`Unknown`](SessionError::Unknown) when there is no such session of
    /// this application; [`NotServing`](SessionError::NotServing) when this node cannot answer for its
    /// copies; [`InCookie`](SessionError::InCookie) where sessions live in their cookies.
    pub async fn open(&self, key: SessionKey) -> Result<DetachedSession, SessionError> {
        let _running = self.app.host.request();
        self.are_on_nodes()?;
        self.app.host.admitted().await?;
        let fields = used(&self.app, key).await?;
        self.app.host.settled(key).await;
        Ok(DetachedSession::new(&self.app, key, Draft::trusted(key, fields, self.app.host.local_values(key))))
    }

    /// As [`open`](Self::open), but looking is no use: the idle time goes on. (While this node is still
    /// getting sessions from others it has to ask them, and that is a use.)
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn look(&self, key: SessionKey) -> Result<DetachedSession, SessionError> {
        let _running = self.app.host.request();
        self.are_on_nodes()?;
        self.app.host.admitted().await?;
        let opened = self.app.host.look(key).await?;
        if opened.app != self.app.app {
            return Err(SessionError::Unknown);
        }
        self.app.host.settled(key).await;
        Ok(DetachedSession::new(
            &self.app,
            key,
            Draft::trusted(key, opened.fields, self.app.host.local_values(key)),
        ))
    }

    /// A session under a key that the caller chose; no cookie opens it. It is there once it is committed, and
    /// that is an [`Ended`](SessionError::Ended) where the key is in use, or was.
    pub(crate) fn create(&self, key: SessionKey) -> Result<DetachedSession, SessionError> {
        self.are_on_nodes()?;
        if !self.app.host.has_room() {
            return Err(SessionError::Full);
        }
        let identity = Identity { key, secret: Secret(random()) };
        let mut draft = Draft::default();
        draft.make(identity, self.app.creation(identity.secret));
        Ok(DetachedSession::new(&self.app, key, draft))
    }

    /// Ends a session everywhere, for good, whether or not this node knows it.
    ///
    /// # Errors
    /// [`NotServing`](SessionError::NotServing) and [`OutcomeUnknown`](SessionError::OutcomeUnknown).
    pub async fn end(&self, key: SessionKey) -> Result<Receipt, SessionError> {
        let host = &self.app.host;
        let _running = host.request();
        host.admitted().await?;
        let receipt = self.app.end(key, None).receipt().await.ok_or(SessionError::OutcomeUnknown)?;
        host.admitted().await.map_err(|_| SessionError::OutcomeUnknown)?;
        Ok(receipt)
    }

    /// A session that its cookie carries can be ended from here, but not opened.
    fn are_on_nodes(&self) -> Result<(), SessionError> {
        if self.app.client_cipher.is_some() { Err(SessionError::InCookie) } else { Ok(()) }
    }

    /// This node's name: the route that balancers look for.
    pub fn node_name(&self) -> &str {
        &self.app.node_name
    }

    /// What is set about these sessions.
    pub fn settings(&self) -> &config::Session {
        &self.app.settings.session
    }

    pub(crate) fn app(&self) -> &AppSessions {
        &self.app
    }
}

/// The fields of a session, which is used with this.
pub(super) async fn used(app: &AppSessions, key: SessionKey) -> Result<Fields, SessionError> {
    let (_open, opened) = app.host.open(key, Proof::Trusted).await?;
    if opened.app == app.app { Ok(opened.fields) } else { Err(SessionError::Unknown) }
}

impl std::fmt::Debug for DetachedSessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DetachedSessions").field("path", &self.app.settings.path).finish_non_exhaustive()
    }
}
