//! The tower layer that gives sessions to an application.

use std::sync::Arc;

use sessile_core::AppId;
use tower_layer::Layer;

use super::app::AppSessions;
use super::service::SessionService;
use super::settings::{SessionSettings, SettingError};
use super::statistics::Statistics;
use crate::cluster::host::SessionHost;

/// Wraps an application's services so that their requests carry a [`Session`](super::Session).
#[derive(Clone)]
pub struct SessionLayer {
    app: Arc<AppSessions>,
}

impl SessionLayer {
    /// The sessions of `app` on the node called `node_name`. `cookie_key` is derived from the cluster secret.
    pub(crate) fn new(
        host: Arc<SessionHost>,
        app: AppId,
        node_name: &str,
        cookie_key: [u8; 32],
        settings: SessionSettings,
    ) -> Result<Self, SettingError> {
        Ok(Self { app: Arc::new(AppSessions::new(host, app, node_name, cookie_key, settings)?) })
    }

    /// What this layer, clones included, did so far.
    pub fn statistics(&self) -> Arc<Statistics> {
        Arc::clone(&self.app.statistics)
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> SessionService<S> {
        SessionService::new(inner, Arc::clone(&self.app))
    }
}
