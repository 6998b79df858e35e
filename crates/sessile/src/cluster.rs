//! The cluster as services use it: a node, and the session layers around it.
//!
//! [`ClusterNode`] drives; here a service gets its layers, and operators see what these did.

mod app_view;
mod builder;
mod layer_metrics;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use parking_lot::Mutex;
use sessile_config::{self as config, Config, Manager, SettingError};
use sessile_core::{AppId, SessionKey};
use sessile_group::ClusterSecrets;
use sessile_node::{ClusterNode, Exposition, JoinError, Seams};
use sessile_web::{Controls, DetachedSession, SessionError, SessionLayer, SessionSettings, Statistics};

pub use app_view::AppView;
pub use builder::ClusterBuilder;

/// The context path of a service that has no other.
const ROOT: &str = "/";

/// This process's place in its cluster. Clones are the same one.
///
/// It lives as long as a clone or a session layer of it does. To go without a gap for anybody, call
/// [`drain`](ClusterNode::drain) and [`leave`](ClusterNode::leave) before; just dropping all of them looks to
/// the other members like a crash, which they survive.
///
/// What needs no session layer it has from [`ClusterNode`]: members, sessions, messages, listeners, and the
/// ways to stop.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

struct Inner {
    node: ClusterNode,
    controls: Arc<Controls>,
    /// The settings of [`Cluster::session_layer`], checked.
    root: SessionSettings,
    /// What the newest session layer of each application counts, with its context path.
    statistics: Mutex<BTreeMap<AppId, (String, Arc<Statistics>)>>,
}

impl Deref for Cluster {
    type Target = ClusterNode;

    fn deref(&self) -> &ClusterNode {
        &self.inner.node
    }
}

impl Cluster {
    /// Joins the cluster that `config` describes: [`start`](Self::start), and then
    /// [`ready`](ClusterNode::ready). Returns once this node may serve.
    ///
    /// # Errors
    /// Nothing of the node is left running, and [`JoinError`] says what to do.
    pub async fn join(config: Config) -> Result<Self, JoinError> {
        Self::builder(config).join().await
    }

    /// A cluster some of whose parts are your own; the others are as `config` says.
    pub fn builder(config: Config) -> ClusterBuilder {
        ClusterBuilder::new(config)
    }

    /// Begins to join, for those who want to watch it: members, standing and metrics can be seen at once, and
    /// session layers answer 503 until the node is [`ready`](ClusterNode::ready). Must be called within a
    /// tokio runtime with I/O and time.
    ///
    /// # Errors
    /// Nothing of the node is left running, and [`JoinError`] says what to do.
    pub async fn start(config: Config) -> Result<Self, JoinError> {
        Self::builder(config).start().await
    }

    async fn begin(config: Config, seams: Seams) -> Result<Self, JoinError> {
        config.validate()?;
        let root = SessionSettings::new(&config, ROOT, &config.session)?;
        let node = ClusterNode::start(config, seams).await?;
        let controls = Arc::new(Controls::of(node.config(), node.secrets().as_ref()));
        let inner = Inner { node, controls, root, statistics: Mutex::default() };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Sessions for a service that is mounted at `/`, as `[session]` and `[replication]` say.
    ///
    /// Put layers that abort handlers (timeouts, caught panics) *outside* of it, that is, add them after it:
    /// inside, what was written before the abort is committed with their answer. `docs/sessions.md` ("Where
    /// the layer goes") has the picture.
    pub fn session_layer(&self) -> SessionLayer {
        self.layer(self.inner.root.clone(), self.config().cluster.manager)
    }

    /// Sessions for an application at its own context path, copied as its manager says
    /// ([`Config::manager_of`]).
    ///
    /// # Errors
    /// A setting of it cannot work, or the sessions that it would share are copied in another way. Those of
    /// the configuration were checked when it was read.
    pub fn app_layer(&self, app: &config::App) -> Result<SessionLayer, SettingError> {
        let (settings, manager) = self.settings_of(app)?;
        Ok(self.layer(settings, manager))
    }

    /// Whether [`app_layer`](Self::app_layer) would give a layer now; nothing changes.
    ///
    /// # Errors
    /// As [`app_layer`](Self::app_layer).
    pub fn check_app(&self, app: &config::App) -> Result<(), SettingError> {
        self.settings_of(app).map(drop)
    }

    fn settings_of(&self, app: &config::App) -> Result<(SessionSettings, Manager), SettingError> {
        let manager = self.config().manager_of(app);
        let settings = SessionSettings::new(self.config(), app.session_path(), &app.session)?;
        self.check_manager(app)?;
        Ok((settings.managed(manager, &self.config().replication), manager))
    }

    /// The session `key` of the service that is mounted at `/`, for websockets, streams, background jobs and
    /// every caller outside HTTP. Another application's are opened through its layer:
    /// [`SessionLayer::sessions`](SessionLayer::sessions).
    ///
    /// The key is what [`Session::key`](crate::Session::key) gives, on this node or on another. Who calls
    /// this is trusted: it takes no cookie, so never let a key come from a client.
    ///
    /// ```
    /// # use sessile::{Cluster, SessionError, SessionKey};
    /// async fn import(cluster: Cluster, key: SessionKey) -> Result<(), SessionError> {
    ///     let session = cluster.session(key).await?;
    ///     for percent in [50_u8, 100] {
    ///         session.set("progress", &percent)?;
    ///         session.commit().await?; // every member has it; an error when the session has ended
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`DetachedSessions::open`](crate::DetachedSessions::open).
    pub async fn session(&self, key: SessionKey) -> Result<DetachedSession, SessionError> {
        let (settings, manager) = (self.inner.root.clone(), self.config().cluster.manager);
        self.new_layer(settings, manager, Arc::default()).sessions().open(key).await
    }

    fn layer(&self, settings: SessionSettings, manager: Manager) -> SessionLayer {
        let path = settings.path();
        let statistics = {
            let mut counted = self.inner.statistics.lock();
            let (_, statistics) =
                counted.entry(AppId::of_path(path)).or_insert_with(|| (path.to_owned(), Arc::default()));
            Arc::clone(statistics)
        };
        self.serve_app(path, manager, settings.session());
        self.new_layer(settings, manager, statistics)
    }

    fn new_layer(
        &self,
        settings: SessionSettings,
        manager: Manager,
        statistics: Arc<Statistics>,
    ) -> SessionLayer {
        let host = self.host(settings.path(), manager, settings.session());
        SessionLayer::new(host, self.name(), Arc::clone(&self.inner.controls), settings, statistics)
    }

    /// The application at `app_path` is not run by this node any more; call it when its last request is over.
    /// With `expire_on_stop` its sessions end that this node wrote last; the others stay as long as they
    /// would have.
    pub async fn retire_app(&self, app_path: &str) {
        self.inner.statistics.lock().remove(&AppId::of_path(app_path));
        self.end_app(app_path).await;
    }

    /// Switches whether the cookie of a session that comes from another node is made to name this node. When
    /// off, a client that failed over goes back as soon as the node in its cookie can be chosen again.
    pub fn rewrite_route(&self, on: bool) {
        self.inner.controls.rewrite_route(on);
        tracing::info!(on, "route rewriting");
    }

    /// Whether cookies are made to name this node.
    #[must_use]
    pub fn rewrites_route(&self) -> bool {
        self.inner.controls.rewrites_route()
    }

    /// Reads the secret file again. New links and cookies use the first secret from now on, all of the file
    /// are believed; links that are up stay. Gives what was read, for
    /// [`AdminPort::believe`](crate::admin::AdminPort::believe).
    ///
    /// # Errors
    /// The file cannot be used; everything stays as it was.
    pub fn reload_secrets(&self) -> Result<ClusterSecrets, JoinError> {
        let secrets = self.reload_link_secrets()?;
        if !self.config().cluster.insecure {
            self.inner.controls.renew_secrets(self.config(), &secrets);
        }
        Ok(secrets)
    }

    /// What an application at `app_path` may know of itself here.
    pub fn look(&self, app_path: &str) -> AppView {
        AppView::new(self.clone(), AppId::of_path(app_path))
    }

    /// All counters, in Prometheus' text format. Never a secret.
    pub fn metrics(&self) -> String {
        self.exposition().into_text()
    }

    /// The same as OpenMetrics 1.0, for `Accept: application/openmetrics-text`.
    pub fn open_metrics(&self) -> String {
        self.exposition().into_open_metrics()
    }

    fn exposition(&self) -> Exposition {
        let mut out = Exposition::default();
        self.write_metrics(&mut out);
        layer_metrics::write(&mut out, &self.statistics());
        out
    }

    /// What the session layers of all applications did so far, by context path.
    pub(crate) fn statistics(&self) -> Vec<(String, Arc<Statistics>)> {
        let mut rows: Vec<_> = self.inner.statistics.lock().values().cloned().collect();
        rows.sort_by(|one, other| one.0.cmp(&other.0));
        rows
    }

    fn statistics_of(&self, app: AppId) -> Arc<Statistics> {
        self.inner.statistics.lock().get(&app).map(|(_, counted)| Arc::clone(counted)).unwrap_or_default()
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Cluster").field(&self.inner.node).finish()
    }
}
