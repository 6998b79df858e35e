//! All that the requests of one application share.

use std::sync::Arc;

use sessile_core::{AppId, Changes, Secret};

use super::cookie::CookieSeal;
use super::idempotency::Turns;
use super::reminders::Reminders;
use super::set_cookie::CookieShape;
use super::settings::SessionSettings;
use super::statistics::Statistics;
use crate::cluster::controls::Controls;
use crate::cluster::host::SessionHost;

/// The sessions of one application on one node.
pub(crate) struct AppSessions {
    pub(crate) host: Arc<SessionHost>,
    pub(crate) app: AppId,
    pub(crate) node_name: String,
    pub(crate) controls: Arc<Controls>,
    pub(crate) settings: SessionSettings,
    pub(crate) seal: CookieSeal,
    pub(crate) shape: CookieShape,
    pub(crate) statistics: Arc<Statistics>,
    /// Idempotency keys that requests of this node work on.
    pub(crate) turns: Arc<Turns>,
    reminders: Reminders,
}

impl AppSessions {
    /// The sessions of the application that `settings` describe. `controls` are the node's.
    pub(crate) fn new(
        host: Arc<SessionHost>,
        node_name: &str,
        controls: Arc<Controls>,
        settings: SessionSettings,
    ) -> Self {
        Self {
            host,
            app: AppId::of_path(&settings.path),
            node_name: node_name.to_owned(),
            seal: CookieSeal::new(controls.cookie_keys.clone(), &settings.path),
            shape: CookieShape::new(&settings),
            controls,
            settings,
            statistics: Arc::default(),
            turns: Arc::default(),
            reminders: Reminders::default(),
        }
    }

    /// The attribute `name` was changed in place in vain.
    pub(crate) fn discarded(&self, name: &str) {
        self.statistics.count_discarded();
        self.host.count_discarded();
        if self.reminders.is_due(name) {
            tracing::warn!(
                attribute = name,
                "changed in place and not set: the change is dropped. Call AttributeMut::set before the handler \
                 returns, or configure [cluster] manager = \"full\" and [replication] dirty_flag = false"
            );
        }
    }

    /// The first change of a new session, as the settings want it.
    pub(crate) fn creation(&self, secret: Secret) -> Changes {
        let session = &self.settings.session;
        Changes::create(self.app, secret, session.timeout, session.absolute_timeout)
    }
}
