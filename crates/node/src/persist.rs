//! Persistence: what the sessions of one [`Engine`] have to do with the store.
//!
//! The core says what changed and what it needs; here that becomes saves and loads, file by file: [`marks`]
//! remembers what is not saved yet, [`saver`] saves it behind the requests, [`loader`] looks up what no
//! member knows and brings back what was swapped out, [`restorer`] brings back everything at a start,
//! [`swapper`] decides what leaves memory, [`health`] counts, and is loud when the store fails. [`policy`]
//! says what an application wants.
//!
//! Replication never waits for any of this. Must not know: which store it is, what a session holds.

mod health;
mod loader;
mod marks;
mod policy;
mod restorer;
mod saver;
mod swapper;
mod translate;
mod view;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sessile_core::{AppId, SessionKey};
use sessile_store::Store;
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::time::timeout;

use super::engine::Engine;
use super::tasks::Tasks;
pub(crate) use health::Health;
pub(crate) use loader::Found;
use loader::{LookUps, Orders};
use marks::Marks;
use policy::Policies;
use restorer::restore_all;
use sessile_config::{self as config, Config, Save};
pub use view::StoreView;

/// Loads that are under way at once.
const LOADS_MAX: usize = 32;

/// Changes of other members that are remembered for the case that they die; above, they are saved here too.
const ELSEWHERE_MAX: usize = 100_000;

/// How long a change of another member is remembered beyond the time in which that member should save it.
const ELSEWHERE_FOR: Duration = Duration::from_secs(30);

/// The sessions of one engine and their store.
pub(crate) struct Persist {
    store: Arc<dyn Store>,
    policies: Policies,
    /// All nodes use one store: who changes a session saves it. Otherwise every node saves what it holds.
    is_shared: bool,
    interval: Duration,
    patience: Duration,
    swap_above: Option<u64>,
    marks: Mutex<Marks>,
    /// Told when something is to be saved earlier than was known.
    wake: Notify,
    /// A graceful stop: everything is saved at once.
    is_flushing: AtomicBool,
    /// What other members changed, and when.
    elsewhere: Mutex<HashMap<SessionKey, Instant>>,
    look_ups: LookUps,
    loads: Semaphore,
    orders: Orders,
    pub(crate) health: Health,
}

impl Persist {
    /// Begins to save and load the sessions of `engine`.
    fn start(engine: &Arc<Engine>, store: Arc<dyn Store>, is_shared: bool, config: &Config, tasks: &Tasks) {
        let settings = &config.store;
        let persist = Arc::new(Self {
            health: Health::new(store.name()),
            store,
            policies: Policies::new(config),
            is_shared,
            interval: settings.interval,
            patience: settings.timeout,
            swap_above: settings.swap_above,
            marks: Mutex::default(),
            wake: Notify::new(),
            is_flushing: AtomicBool::new(false),
            elsewhere: Mutex::default(),
            look_ups: LookUps::default(),
            loads: Semaphore::new(LOADS_MAX),
            orders: Orders::default(),
        });
        tasks.spawn(saver::run(Arc::clone(engine), Arc::clone(&persist)));
        tasks.spawn(loader::fetch_ordered(Arc::clone(engine), Arc::clone(&persist)));
        tasks.spawn(swapper::run(Arc::clone(engine), Arc::clone(&persist)));
        // An engine has one store for its whole life.
        let _ = engine.persist.set(persist);
    }

    /// A session changed or ended.
    pub(super) fn changed(&self, key: SessionKey, here: bool) {
        if here || !self.is_shared {
            self.mark(key, self.interval, None);
            return;
        }
        let mut elsewhere = self.elsewhere.lock();
        elsewhere.insert(key, Instant::now());
        if elsewhere.len() > ELSEWHERE_MAX {
            let all = std::mem::take(&mut *elsewhere);
            drop(elsewhere);
            all.into_keys().for_each(|key| self.mark(key, self.interval, None));
        }
    }

    /// A member died: what it changed and may not have saved is saved here. Saving the same twice is
    /// harmless.
    pub(super) fn member_lost(&self) {
        let changed = std::mem::take(&mut *self.elsewhere.lock());
        changed.into_keys().for_each(|key| self.mark(key, self.interval, None));
    }

    /// Forgets what other members have had the time to save.
    fn forget_elsewhere(&self) {
        // While the store fails here, it may fail there.
        if self.health.problem().is_none() {
            let remembered = self.interval + self.patience + ELSEWHERE_FOR;
            self.elsewhere.lock().retain(|_, since| since.elapsed() < remembered);
        }
    }

    /// The content of a session is needed that was swapped out.
    pub(super) fn order(&self, key: SessionKey) {
        self.orders.place(key);
    }

    /// An application's layer was made: from now on its sessions are saved as `session` says.
    pub(super) fn learn(&self, app: AppId, path: &str, session: &config::Session) {
        self.policies.learn(app, path, session);
    }

    /// What the response to a request that changed this session waits for. An end waits always: a session
    /// that was logged out must not come back though everything is killed in the next moment.
    pub(crate) fn awaited(self: &Arc<Self>, engine: &Engine, key: SessionKey) -> Option<Awaited> {
        let glance = engine.node.glance(key, engine.clock.now())?;
        let policy = self.policies.of(glance.app)?;
        (glance.ended || policy.save == Save::Through).then(|| self.save_now(key))
    }

    /// The same where the response asked to wait. `None` for an application whose sessions are not stored.
    pub(crate) fn awaited_on_request(self: &Arc<Self>, engine: &Engine, key: SessionKey) -> Option<Awaited> {
        let glance = engine.node.glance(key, engine.clock.now())?;
        self.policies.of(glance.app).map(|_| self.save_now(key))
    }

    /// Saves the session as soon as possible.
    pub(crate) fn save_now(self: &Arc<Self>, key: SessionKey) -> Awaited {
        let (sender, saved) = oneshot::channel();
        self.mark(key, Duration::ZERO, Some(sender));
        Awaited { persist: Arc::clone(self), saved }
    }

    fn mark(&self, key: SessionKey, within: Duration, waiter: Option<oneshot::Sender<()>>) {
        let is_next = self.marks.lock().mark(key, Instant::now(), within, waiter);
        if is_next {
            self.wake.notify_one();
        }
    }

    /// From now on everything is saved at once. How many sessions are not yet saved.
    pub(super) fn flush(&self) -> usize {
        if !self.is_flushing.swap(true, Relaxed) {
            self.wake.notify_one();
        }
        self.unsaved()
    }

    /// Sessions that the store lacks in their newest version.
    pub(crate) fn unsaved(&self) -> usize {
        self.marks.lock().len()
    }

    /// Since the oldest change that the store lacks.
    pub(crate) fn lag(&self) -> Duration {
        self.marks.lock().oldest().map(|oldest| oldest.elapsed()).unwrap_or_default()
    }

    /// The kind and the place of the store.
    pub(crate) fn name(&self) -> &str {
        self.store.name()
    }

    /// The last thing that is done with a store.
    pub(super) async fn close(&self) {
        if let Ok(Err(error)) = timeout(self.patience, self.store.close()).await {
            tracing::warn!(%error, "the store was not closed cleanly");
        }
    }
}

/// A save that a response waits for, within bounds.
pub(crate) struct Awaited {
    persist: Arc<Persist>,
    saved: oneshot::Receiver<()>,
}

impl Awaited {
    /// Whether the session is saved. Else the wait was given up: that is counted and logged, and the save
    /// goes on.
    pub(crate) async fn done(self) -> bool {
        let Self { persist, saved } = self;
        // Who has waited in vain already does not wait again: one outage costs each request its patience
        // once.
        let patience = persist.patience.saturating_sub(persist.health.failing_for());
        let is_saved = matches!(timeout(patience, saved).await, Ok(Ok(())));
        if !is_saved {
            persist.health.gave_up();
        }
        is_saved
    }
}

/// Gives both engines of a node the same store.
pub(super) fn begin(
    [shared, local]: [&Arc<Engine>; 2],
    store: &Arc<dyn Store>,
    is_shared: bool,
    config: &Config,
    tasks: &Tasks,
) {
    Persist::start(shared, Arc::clone(store), is_shared, config, tasks);
    if !Arc::ptr_eq(shared, local) {
        Persist::start(local, Arc::clone(store), is_shared, config, tasks);
    }
    tracing::info!("sessions are kept in {}", store.name());
}
