//! A node of a cluster, put together: the engine whose sessions are copied, the one whose sessions stay, and
//! what both need.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use sessile_config::{self as config, Config, Manager, SettingError, StoreKind};
use sessile_core::{AppId, Event, Incarnation, NodeState, Settings};
use sessile_group::ClusterSecrets;
use tokio::sync::{OnceCell, broadcast};

use crate::dials::Dials;
use crate::engine::Engine;
use crate::error::JoinError;
use crate::host::SessionHost;
use crate::parts::{PartReport, Parts};
use crate::seams::Seams;
use crate::sending::Sending;
use crate::settings_check::SettingsCheck;
use crate::tasks::{self, Links, Tasks};
use crate::{persist, pressure, start};

/// How often a node that joins looks whether it may serve, should nobody have told it.
const STATE_POLL: Duration = Duration::from_millis(50);

/// The context path of a service that has no other.
const ROOT: &str = "/";

/// This process's place in its cluster, without the session layers. Clones are the same one.
///
/// It lives as long as a clone or a [`SessionHost`] of it does. To go without a gap for anybody, call
/// [`drain`](Self::drain) and [`leave`](Self::leave) before; just dropping all of them looks to the other
/// members like a crash, which they survive.
#[derive(Clone)]
pub struct ClusterNode {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    config: Config,
    pub(crate) incarnation: Incarnation,
    /// Where other members reach this one; `None` on a node that has none.
    pub(crate) address: Option<SocketAddr>,
    /// What others are told of this node's settings; `None` on a node that has no others.
    pub(crate) settings_check: Option<Arc<SettingsCheck>>,
    /// `None` where the configuration does without.
    pub(crate) secrets: Mutex<Option<ClusterSecrets>>,
    /// Whether balancers are told that this node may be chosen, as far as an operator has a say in it.
    pub(crate) is_offered: AtomicBool,
    /// The sessions that are copied.
    pub(crate) shared: Arc<Engine>,
    /// The sessions that stay on this node.
    pub(crate) local: Arc<Engine>,
    pub(crate) apps: Arc<Mutex<Apps>>,
    /// What is told of parts of the process beside the sessions.
    pub(crate) parts: Parts,
    pub(crate) tasks: Arc<Tasks>,
    /// What was stored is here, as far as it is brought back at a start.
    restored: OnceCell<()>,
}

/// The applications of this node.
pub(crate) type Apps = BTreeMap<AppId, Known>;

/// One of them.
pub(crate) struct Known {
    pub(crate) path: String,
    pub(crate) manager: Manager,
    /// Whether its sessions end where this node stops or the application goes.
    pub(crate) expires: bool,
    /// Whether it has a session layer.
    served: bool,
}

impl ClusterNode {
    /// Begins to join the cluster that `config` describes, with these parts of the user's own. `config` is
    /// one that [`Config::validate`] accepts. Must be called within a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// Nothing of the node is left running, and [`JoinError`] says what to do.
    pub async fn start(config: Config, seams: Seams) -> Result<Self, JoinError> {
        let secrets = start::secrets(&config)?;
        if secrets.is_none() {
            tracing::warn!(
                "cluster traffic is neither authenticated nor encrypted: anybody can join and read"
            );
        }
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
        let (shared, settings_check) = match config.cluster.manager {
            Manager::Local => (Arc::clone(&local), None),
            Manager::Full | Manager::Delta => {
                let (engine, settings_check) =
                    member(&config, seams, settings, secrets.clone(), &tasks).await?;
                (engine, Some(settings_check))
            }
        };
        tasks.spawn(pressure::watch(Arc::clone(&shared)));
        if !Arc::ptr_eq(&shared, &local) {
            tasks.spawn(pressure::watch(Arc::clone(&local)));
        }
        let address = settings_check.as_ref().map(|settings_check| settings_check.address);
        let apps = Arc::new(Mutex::new(known_apps(&config)));
        if let Some(store) = store {
            persist::begin([&shared, &local], &store, is_shared, &config, &tasks);
        }
        let inner = Inner {
            config,
            incarnation,
            address,
            settings_check,
            secrets: Mutex::new(secrets),
            is_offered: AtomicBool::new(true),
            shared,
            local,
            apps,
            parts: Parts::default(),
            tasks,
            restored: OnceCell::new(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Waits until this node may serve: it has the sessions of the others, or the time for getting them is
    /// over, or nobody else is there.
    ///
    /// # Errors
    /// Another live process has this node's name.
    pub async fn ready(&self) -> Result<(), JoinError> {
        let engine = &self.inner.shared;
        loop {
            let moved = engine.waiters.gate.notified();
            if let Some((member, about)) = engine.disagreement.get() {
                return Err(JoinError::Disagreement { member: member.clone(), about: about.clone() });
            }
            match engine.node.state() {
                NodeState::Searching | NodeState::Joining => {}
                NodeState::Refused => return Err(self.name_taken()),
                NodeState::Ready | NodeState::Incomplete | NodeState::Draining | NodeState::Left => {
                    self.inner.restored.get_or_init(|| self.restore()).await;
                    return Ok(());
                }
            }
            let _ = tokio::time::timeout(STATE_POLL, moved).await;
        }
    }

    fn name_taken(&self) -> JoinError {
        let by = self.inner.shared.node.refused_by().unwrap_or_default();
        let address = self.addresses().get(&by).copied();
        JoinError::NameTaken { name: self.name().to_owned(), by, address }
    }

    /// The sessions of the application at `path`, as requests use them: copied as `manager` says, stored as
    /// `session` says.
    #[must_use]
    pub fn host(&self, path: &str, manager: Manager, session: &config::Session) -> Arc<SessionHost> {
        let inner = &self.inner;
        let engine = if manager == Manager::Local { &inner.local } else { &inner.shared };
        if let Some(persist) = engine.persist.get() {
            persist.learn(AppId::of_path(path), path, session);
        }
        Arc::new(SessionHost::new(Arc::clone(engine), Arc::clone(&inner.tasks)))
    }

    /// From now on this node serves the application at `path`.
    pub fn serve_app(&self, path: &str, manager: Manager, session: &config::Session) {
        let known = Known { path: path.to_owned(), manager, expires: session.expire_on_stop, served: true };
        self.inner.apps.lock().insert(AppId::of_path(path), known);
    }

    /// Whether `app` wants sessions that it shares copied as the others do.
    ///
    /// # Errors
    /// It shares sessions that are copied in another way.
    pub fn check_manager(&self, app: &config::App) -> Result<(), SettingError> {
        let manager = self.config().manager_of(app);
        let apps = self.inner.apps.lock();
        let served = apps.get(&AppId::of_path(app.session_path())).filter(|known| known.served);
        match served.filter(|known| app.session_path() != app.path && known.manager != manager) {
            None => Ok(()),
            Some(known) => {
                let problem =
                    format!("the sessions at `{}` are copied in another way; use its manager", known.path);
                Err(SettingError { key: "session_path", problem })
            }
        }
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

    /// Whether a balancer may choose this node: not while it gets the sessions, drains, was taken out of the
    /// balancers' choice by [`offer`](Self::offer), or has left.
    pub fn is_ready(&self) -> bool {
        self.inner.is_offered.load(Ordering::Relaxed)
            && !self.inner.shared.poison.is_poisoned()
            && matches!(self.state(), NodeState::Ready | NodeState::Incomplete)
    }

    /// What happens to members and to sessions that are copied, from now on, as it is logged. The queue is
    /// bounded: who lags is told how much it missed. What must not be missed, and what happens to attributes,
    /// tells [`listen`](Self::listen).
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.inner.shared.event_log.listen()
    }

    /// From now on [`warnings`](Self::warnings) and the metrics have this of `part`, and nothing that it said
    /// before.
    pub fn report(&self, part: &'static str, report: PartReport) {
        self.inner.parts.report(part, report);
    }

    /// The nodes of the core in this process, the one whose sessions are copied first.
    pub(crate) fn engines(&self) -> impl Iterator<Item = &Arc<Engine>> {
        let Inner { shared, local, .. } = &*self.inner;
        std::iter::once(shared).chain((!Arc::ptr_eq(shared, local)).then_some(local))
    }

    pub(crate) fn engine_of(&self, app: AppId) -> Arc<Engine> {
        let is_local = self.inner.apps.lock().get(&app).is_some_and(|known| known.manager == Manager::Local);
        Arc::clone(if is_local { &self.inner.local } else { &self.inner.shared })
    }
}

/// The context path of an application, or `app:` and a number where this node has no such application.
pub(crate) fn path_of(apps: &Apps, app: AppId) -> String {
    apps.get(&app).map_or_else(|| format!("app:{:08x}", app.0), |known| known.path.clone())
}

/// Starts the links to the others and the node that uses them.
async fn member(
    config: &Config,
    mut seams: Seams,
    settings: Settings,
    secrets: Option<ClusterSecrets>,
    tasks: &Tasks,
) -> Result<(Arc<Engine>, Arc<SettingsCheck>), JoinError> {
    let (owned, incarnation, mut planted) =
        (config.clone(), settings.incarnation, std::mem::take(&mut seams.planted));
    let started = tasks.run(async move { start::channel(&owned, seams, incarnation, secrets).await }).await;
    let (channel, address, events) = started.map_err(|fault| JoinError::Threads(fault.into()))??;
    let (channel, events) = planted.around(channel, events);
    let settings_check = Arc::new(SettingsCheck::new(config, address));
    tracing::info!(%address, incarnation = %settings.incarnation, "{} looks for the cluster {}", settings.name, config.cluster.name);
    let timing = settings.timing.clone();
    let engine = Arc::new(Engine::member(
        settings,
        Sending::new(Dials::of(&config.sender), &config.sender),
        channel,
        planted,
    ));
    tasks.spawn(tasks::tick(Arc::clone(&engine), timing.tick()));
    tasks.spawn(Links::new(Arc::clone(&engine), Arc::clone(&settings_check), &timing).follow(events));
    Ok((engine, settings_check))
}

fn known_apps(config: &Config) -> Apps {
    let known = |path: &str, manager, session: &config::Session| {
        let (path, expires) = (path.to_owned(), session.expire_on_stop);
        (AppId::of_path(&path), Known { path, manager, expires, served: false })
    };
    let root = known(ROOT, config.cluster.manager, &config.session);
    let apps = config.apps.iter().map(|app| known(app.session_path(), config.manager_of(app), &app.session));
    std::iter::once(root).chain(apps).collect()
}

impl std::fmt::Debug for ClusterNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterNode")
            .field("name", &self.name())
            .field("incarnation", &self.inner.incarnation)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
