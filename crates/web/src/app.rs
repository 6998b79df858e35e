//! All that the requests of one application share.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{AppId, Changes, Secret, SessionKey};

use super::attribute_warnings::AttributeWarnings;
use super::client_cipher::ClientSessionCipher;
use super::client_session::remembered_for;
use super::cookie::CookieSigner;
use super::set_cookie::CookieShape;
use super::settings::SessionSettings;
use super::statistics::Statistics;
use crate::Controls;
use sessile_node::host::{SessionHost, Settlement};

/// The sessions of one application on one node.
pub(crate) struct AppSessions {
    pub(crate) host: Arc<SessionHost>,
    pub(crate) app: AppId,
    pub(crate) node_name: String,
    pub(crate) controls: Arc<Controls>,
    pub(crate) settings: SessionSettings,
    pub(crate) signer: CookieSigner,
    /// Where the cookies carry the sessions.
    pub(crate) client_cipher: Option<ClientSessionCipher>,
    pub(crate) shape: CookieShape,
    pub(crate) statistics: Arc<Statistics>,
    attribute_warnings: AttributeWarnings,
}

impl AppSessions {
    /// The sessions of the application that `settings` describe. `controls` are the node's.
    pub(crate) fn new(
        host: Arc<SessionHost>,
        node_name: &str,
        controls: Arc<Controls>,
        settings: SessionSettings,
        statistics: Arc<Statistics>,
    ) -> Self {
        Self {
            host,
            app: AppId::of_path(&settings.path),
            node_name: node_name.to_owned(),
            client_cipher: settings
                .cookie_overhead
                .map(|_| ClientSessionCipher::new(controls.cookie_keys.clone(), &settings.path)),
            signer: CookieSigner::new(controls.cookie_keys.clone(), &settings.path),
            shape: CookieShape::new(&settings),
            controls,
            settings,
            statistics,
            attribute_warnings: AttributeWarnings::default(),
        }
    }

    /// Whether these are the same sessions on the same node.
    pub(crate) fn is_same_as(&self, other: &Self) -> bool {
        self.app == other.app && self.host.is_same_as(&other.host)
    }

    /// The attribute `name` was changed in place in vain.
    pub(crate) fn discarded(&self, name: &str) {
        self.statistics.count_discarded();
        self.host.count_discarded();
        if self.attribute_warnings.is_due(name) {
            tracing::warn!(
                attribute = name,
                "changed in place and not set: the change is dropped. Call AttributeMut::set before the handler \
                 returns, or configure [cluster] manager = \"full\" and [replication] dirty_flag = false"
            );
        }
    }

    /// The attribute `name` is there, and not as the type that was asked for.
    pub(crate) fn undecodable(&self, name: &str, key: Option<SessionKey>, reason: &str) {
        self.statistics.count_undecodable();
        if self.attribute_warnings.is_due(&format!("undecodable {name}")) {
            let session = key.map(|key| key.to_string()).unwrap_or_default();
            tracing::warn!(
                attribute = name,
                session,
                reason,
                "an attribute does not decode as the type that the application asks for; it is kept as it is"
            );
        }
    }

    /// A proxy says how its client came, and nobody knows whether the proxy is trusted.
    pub(crate) fn peer_unknown(&self) {
        if self.attribute_warnings.is_due("forwarded without a peer address") {
            tracing::warn!(
                "X-Forwarded-* came, and no peer address is known, so [http] trusted_proxies cannot match: the session \
                 cookie lacks `Secure`, and the host of the site is unknown. Serve with `app.into_make_service_with_connect_info::<SocketAddr>()`, or \
                 set [session] secure = true"
            );
        }
    }

    /// Whether one more session can be made now.
    pub(crate) fn has_room(&self) -> bool {
        self.client_cipher.is_some() || self.host.has_room()
    }

    /// Ends a session everywhere, for good. `idle` is the idle time of one that its cookie carries, if it has
    /// its own.
    pub(crate) fn end(&self, key: SessionKey, idle: Option<Duration>) -> Settlement {
        if self.client_cipher.is_none() {
            return self.host.end(key);
        }
        let keep = remembered_for(idle.unwrap_or(self.settings.session.timeout));
        self.host.end_carried(key, self.app, keep)
    }

    /// The first change of a new session, as the settings want it. A cookie carries nothing that these say
    /// already.
    pub(crate) fn creation(&self, secret: Secret) -> Changes {
        if self.client_cipher.is_some() {
            return Changes::new();
        }
        let session = &self.settings.session;
        Changes::create(self.app, secret, session.timeout, session.absolute_timeout)
    }
}
