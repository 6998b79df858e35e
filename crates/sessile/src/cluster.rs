//! The driver: the only place that reads the clock, spawns tasks and executes what the core decided.
//!
//! It joins the replication core (`sessile_core`) with the group's links (`sessile_group`). The way of a change, file
//! by file: a request commits it through [`host`], once [`sending`] lets it; [`engine`] calls the core and carries out
//! its effects; [`frame_sender`] takes the frames during the call, in their order; on the other side [`tasks`] read
//! them and that engine takes them; the acknowledgement comes back the same way and wakes who waits in [`waiters`]. [`builder`] takes parts of the user's own; [`messages`] are what applications say to
//! each other beside the sessions.
//!
//! [`Cluster`] itself, the handle for users, is where the driver and the session layers of `web` are put together; its
//! pages for operators ([`view`], [`metrics`]) show the statistics of these layers. The driver below it must not know:
//! cookies, HTTP, what a frame says.

mod builder;
pub(crate) mod clock;
pub(crate) mod engine;
mod error;
mod event_log;
pub(crate) mod frame_sender;
mod fuse;
pub(crate) mod host;
mod listen;
mod listeners;
mod local_values;
pub(crate) mod messages;
mod metrics;
mod operate;
mod parts;
mod permits;
mod persist;
#[cfg_attr(not(feature = "planted"), path = "cluster/unplanted.rs")]
mod planted;
mod sending;
mod standpoint;
mod start;
mod stop;
pub(crate) mod tasks;
mod view;
mod waiters;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sessile_core::{AppId, Event, Incarnation, NodeState, SessionKey, Settings};
use sessile_group::ClusterSecrets;
use tokio::sync::{OnceCell, broadcast};

pub use builder::ClusterBuilder;
pub use error::{DrainIncomplete, JoinError, OwedTo};
pub use listen::{Listening, Notification, Scope};
pub use messages::{Message, MessageError, Messages, NoMessage, To};
pub use operate::{Resync, ResyncError, TransferView};
pub use parts::{Gauge, PartReport};
pub use persist::StoreView;
#[cfg(feature = "planted")]
pub use planted::Planted;
pub use view::{AppView, MemberView, SessionView};

use crate::config::{self, Config, Manager, StoreKind};
use crate::web::{
    Controls, DetachedSession, SessionError, SessionLayer, SessionSettings, SettingError, Statistics,
};
use builder::Seams;
use engine::Engine;
use host::SessionHost;
use parts::Parts;
use sending::Sending;
use standpoint::Standpoint;
use tasks::{Links, Tasks};

/// How often a node that joins looks whether it may serve, should nobody have told it.
const STANDING_POLL: Duration = Duration::from_millis(50);

/// The context path of a service that has no other.
const ROOT: &str = "/";

/// This process's place in its cluster. Clones are the same one.
///
/// It lives as long as a clone or a session layer of it does. To go without a gap for anybody, call
/// [`drain`](Self::drain) and [`leave`](Self::leave) before; just dropping all of them looks to the other members
/// like a crash, which they survive.
#[derive(Clone)]
pub struct Cluster {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    incarnation: Incarnation,
    /// Where other members reach this one; `None` on a node that has none.
    address: Option<SocketAddr>,
    controls: Arc<Controls>,
    /// What others are told of this node's settings; `None` on a node that has no others.
    standpoint: Option<Arc<Standpoint>>,
    secret_ids: Mutex<Vec<String>>,
    /// The settings of [`Cluster::session_layer`], checked.
    root: SessionSettings,
    /// The sessions that are copied.
    shared: Arc<Engine>,
    /// The sessions that stay on this node.
    local: Arc<Engine>,
    apps: Arc<Mutex<Apps>>,
    /// What is told of parts of the process beside the sessions.
    parts: Parts,
    tasks: Arc<Tasks>,
    /// What was stored is here, as far as it is brought back at a start.
    restored: OnceCell<()>,
}

/// The applications of this node.
type Apps = BTreeMap<AppId, Known>;

/// One of them.
struct Known {
    path: String,
    manager: Manager,
    /// Whether its sessions end where this node stops or the application goes.
    expires: bool,
    /// What its newest session layer counts.
    statistics: Option<Arc<Statistics>>,
}

impl Cluster {
    /// Joins the cluster that `config` describes: [`start`](Self::start), and then [`ready`](Self::ready). Returns
    /// once this node may serve.
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

    /// Begins to join, for those who want to watch it: members, standing and metrics can be seen at once, and session
    /// layers answer 503 until the node is [`ready`](Self::ready). Must be called within a tokio runtime with I/O
    /// and time.
    ///
    /// # Errors
    /// Nothing of the node is left running, and [`JoinError`] says what to do.
    pub async fn start(config: Config) -> Result<Self, JoinError> {
        Self::builder(config).start().await
    }

    async fn begin(config: Config, seams: Seams) -> Result<Self, JoinError> {
        config.validate()?;
        let root = SessionSettings::new(&config, ROOT, &config.session)?;
        let secrets = start::secrets(&config)?;
        if secrets.is_none() {
            tracing::warn!(
                "cluster traffic is neither authenticated nor encrypted: anybody can join and read"
            );
        }
        let controls = Arc::new(Controls::of(&config, secrets.as_ref()));
        let secret_ids = Mutex::new(secrets.as_ref().map(ClusterSecrets::ids).unwrap_or_default());
        let incarnation = start::random_incarnation()?;
        let store = match seams.store.clone() {
            Some(own) => Some(own),
            None => crate::store::open(&config).await?,
        };
        let is_shared = seams.store.is_none()
            && matches!(config.store.kind, Some(StoreKind::Postgres | StoreKind::Redis));
        let mut settings = start::node_settings(&config, incarnation, Arc::clone(&seams.ack_set));
        settings.stores = store.is_some();
        seams.planted.plant_bug(&mut settings);
        let tasks = Arc::new(Tasks::on(config.receiver.workers).map_err(JoinError::Threads)?);
        let local = Arc::new(Engine::alone(settings.clone()));
        tasks.spawn(tasks::tick(Arc::clone(&local), settings.timing.tick()));
        let (shared, standpoint) = match config.cluster.manager {
            Manager::Local => (Arc::clone(&local), None),
            Manager::Full | Manager::Delta => {
                let (engine, standpoint) = member(&config, seams, settings, secrets, &tasks).await?;
                (engine, Some(standpoint))
            }
        };
        let address = standpoint.as_ref().map(|standpoint| standpoint.address);
        let apps = Arc::new(Mutex::new(known_apps(&config)));
        if let Some(store) = store {
            persist::begin([&shared, &local], &store, is_shared, &config, &tasks);
        }
        let inner = Inner {
            config,
            incarnation,
            address,
            controls,
            standpoint,
            secret_ids,
            root,
            shared,
            local,
            apps,
            parts: Parts::default(),
            tasks,
            restored: OnceCell::new(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Waits until this node may serve: it has the sessions of the others, or the time for getting them is over, or
    /// nobody else is there.
    ///
    /// # Errors
    /// Another live process has this node's name.
    pub async fn ready(&self) -> Result<(), JoinError> {
        let engine = &self.inner.shared;
        loop {
            let moved = engine.waiters.gate.notified();
            match engine.node.state() {
                NodeState::Searching | NodeState::Joining => {}
                NodeState::Refused => return Err(self.name_taken()),
                NodeState::Ready | NodeState::Incomplete | NodeState::Draining | NodeState::Left => {
                    self.inner.restored.get_or_init(|| self.restore()).await;
                    return Ok(());
                }
            }
            let _ = tokio::time::timeout(STANDING_POLL, moved).await;
        }
    }

    fn name_taken(&self) -> JoinError {
        let by = self.inner.shared.node.refused_by().unwrap_or_default();
        let address = self.addresses().get(&by).copied();
        JoinError::NameTaken { name: self.name().to_owned(), by, address }
    }

    /// Sessions for a service that is mounted at `/`, as `[session]` and `[replication]` say.
    ///
    /// Put layers that abort handlers (timeouts, caught panics) *outside* of it, that is, add them after it: inside, what was
    /// written before the abort is committed with their answer. `docs/sessions.md` ("Where the layer goes") has the picture.
    pub fn session_layer(&self) -> SessionLayer {
        self.layer(self.inner.root.clone(), self.config().cluster.manager)
    }

    /// Sessions for an application at its own context path, copied as its manager says
    /// ([`Config::manager_of`]).
    ///
    /// # Errors
    /// A setting of it cannot work, or the sessions that it would share are copied in another way. Those of the
    /// configuration were checked when it was read.
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
        self.agrees(app, manager)?;
        Ok((settings.managed(manager, &self.config().replication), manager))
    }

    /// The session `key` of the service that is mounted at `/`, for websockets, streams, background jobs and every
    /// caller outside HTTP. Another application's are opened through its layer:
    /// [`SessionLayer::sessions`](SessionLayer::sessions).
    ///
    /// The key is what [`Session::key`](crate::Session::key) gives, on this node or on another. Who calls this is
    /// trusted: it takes no cookie, so never let a key come from a client.
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
        let inner = &self.inner;
        let (app, path) = (AppId::of_path(&settings.path), settings.path.clone());
        let expires = settings.session.expire_on_stop;
        let counted = inner.apps.lock().get(&app).and_then(|known| known.statistics.clone());
        let statistics = counted.unwrap_or_default();
        let known = Known { path, manager, expires, statistics: Some(Arc::clone(&statistics)) };
        inner.apps.lock().insert(app, known);
        self.new_layer(settings, manager, statistics)
    }

    /// Whether `app` wants sessions that it shares copied as the others do.
    fn agrees(&self, app: &config::App, manager: Manager) -> Result<(), SettingError> {
        let apps = self.inner.apps.lock();
        let served = apps.get(&AppId::of_path(app.session_path())).filter(|known| known.statistics.is_some());
        match served.filter(|known| app.session_path() != app.path && known.manager != manager) {
            None => Ok(()),
            Some(known) => {
                let problem =
                    format!("the sessions at `{}` are copied in another way; use its manager", known.path);
                Err(SettingError { key: "session_path", problem })
            }
        }
    }

    fn new_layer(
        &self,
        settings: SessionSettings,
        manager: Manager,
        statistics: Arc<Statistics>,
    ) -> SessionLayer {
        let inner = &self.inner;
        let engine = if manager == Manager::Local { &inner.local } else { &inner.shared };
        if let Some(persist) = engine.persist.get() {
            persist.learn(AppId::of_path(&settings.path), &settings.path, &settings.session);
        }
        let host = SessionHost::new(Arc::clone(engine), Arc::clone(&inner.tasks));
        SessionLayer::new(Arc::new(host), self.name(), Arc::clone(&inner.controls), settings, statistics)
    }

    /// This node's name.
    pub fn name(&self) -> &str {
        &self.inner.config.node.name
    }

    /// What this node was told.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// How far this node is.
    pub fn state(&self) -> NodeState {
        self.inner.shared.node.state()
    }

    /// Whether a balancer may choose this node: not while it gets the sessions, drains, was taken out of the balancers'
    /// choice by [`offer`](Self::offer), or has left.
    pub fn is_ready(&self) -> bool {
        self.inner.controls.is_offered()
            && !self.inner.shared.fuse.is_blown()
            && matches!(self.state(), NodeState::Ready | NodeState::Incomplete)
    }

    /// What happens to members and to sessions that are copied, from now on, as it is logged. The queue is bounded: who
    /// lags is told how much it missed. What must not be missed, and what happens to attributes, tells
    /// [`listen`](Self::listen).
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.inner.shared.event_log.listen()
    }

    /// All counters, in Prometheus' text format. Never a secret.
    pub fn metrics(&self) -> String {
        metrics::text(self)
    }

    /// The nodes of the core in this process, the one whose sessions are copied first.
    fn engines(&self) -> impl Iterator<Item = &Arc<Engine>> {
        let Inner { shared, local, .. } = &*self.inner;
        std::iter::once(shared).chain((!Arc::ptr_eq(shared, local)).then_some(local))
    }
}

/// Starts the links to the others and the node that uses them.
async fn member(
    config: &Config,
    mut seams: Seams,
    settings: Settings,
    secrets: Option<ClusterSecrets>,
    tasks: &Tasks,
) -> Result<(Arc<Engine>, Arc<Standpoint>), JoinError> {
    let (owned, incarnation, mut planted) =
        (config.clone(), settings.incarnation, std::mem::take(&mut seams.planted));
    let started = tasks.run(async move { start::channel(&owned, seams, incarnation, secrets).await }).await;
    let (channel, address, events) = started.map_err(|fault| JoinError::Threads(fault.into()))??;
    let (channel, events) = planted.around(channel, events);
    let standpoint = Arc::new(Standpoint::new(config, address));
    tracing::info!(%address, incarnation = %settings.incarnation, "{} looks for the cluster {}", settings.name, config.cluster.name);
    let timing = settings.timing.clone();
    let engine = Arc::new(Engine::member(settings, Sending::new(&config.sender), channel, planted));
    tasks.spawn(tasks::tick(Arc::clone(&engine), timing.tick()));
    tasks.spawn(Links::new(Arc::clone(&engine), Arc::clone(&standpoint), &timing).follow(events));
    Ok((engine, standpoint))
}

fn known_apps(config: &Config) -> Apps {
    let known = |path: &str, manager, session: &config::Session| {
        let (path, expires) = (path.to_owned(), session.expire_on_stop);
        (AppId::of_path(&path), Known { path, manager, expires, statistics: None })
    };
    let root = known(ROOT, config.cluster.manager, &config.session);
    let apps = config.apps.iter().map(|app| known(app.session_path(), config.manager_of(app), &app.session));
    std::iter::once(root).chain(apps).collect()
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("name", &self.name())
            .field("incarnation", &self.inner.incarnation)
            .field("standing", &self.state())
            .finish_non_exhaustive()
    }
}
