//! All that the requests of one application share.

use std::sync::Arc;

use sessile_core::{AppId, Changes, Secret};

use super::cookie::CookieSeal;
use super::set_cookie::CookieShape;
use super::settings::SessionSettings;
use super::statistics::Statistics;
use crate::cluster::host::SessionHost;

/// The sessions of one application on one node.
pub(crate) struct AppSessions {
    pub(crate) host: Arc<SessionHost>,
    pub(crate) app: AppId,
    pub(crate) node_name: String,
    pub(crate) settings: SessionSettings,
    pub(crate) seal: CookieSeal,
    pub(crate) shape: CookieShape,
    pub(crate) statistics: Arc<Statistics>,
}

impl AppSessions {
    /// The sessions of the application that `settings` describe. `cookie_key` comes from the cluster secret.
    pub(crate) fn new(
        host: Arc<SessionHost>,
        node_name: &str,
        cookie_key: [u8; 32],
        settings: SessionSettings,
    ) -> Self {
        Self {
            host,
            app: AppId::of_path(&settings.path),
            node_name: node_name.to_owned(),
            seal: CookieSeal::new(cookie_key, &settings.path),
            shape: CookieShape::new(&settings),
            settings,
            statistics: Arc::default(),
        }
    }

    /// The first change of a new session, as the settings want it.
    pub(crate) fn creation(&self, secret: Secret) -> Changes {
        let session = &self.settings.session;
        Changes::create(self.app, secret, session.timeout, session.absolute_timeout)
    }
}
