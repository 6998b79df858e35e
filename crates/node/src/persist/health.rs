//! How the store does: counters, and a loud voice when it fails, at most once a minute.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sessile_store::{DamagedRecord, StoreError};

/// The least time between two lines of the log about one failing store.
const QUIET: Duration = Duration::from_secs(60);

/// How long a session that could not be decrypted is a warning.
const REMEMBERED: Duration = Duration::from_secs(600);

/// What is counted, and what is wrong now.
#[derive(Debug)]
pub(crate) struct Health {
    store: String,
    pub(crate) saved: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) merged: AtomicU64,
    pub(crate) gave_up: AtomicU64,
    pub(crate) pressed: AtomicU64,
    pub(crate) loads: AtomicU64,
    pub(crate) hits: AtomicU64,
    pub(crate) damaged: AtomicU64,
    pub(crate) restored: AtomicU64,
    pub(crate) swaps: AtomicU64,
    pub(crate) fetches: AtomicU64,
    pub(crate) fetch_micros: AtomicU64,
    pub(crate) lost: AtomicU64,
    trouble: Mutex<Trouble>,
}

#[derive(Debug, Default)]
struct Trouble {
    /// The last session that could not be decrypted, and when.
    undecryptable: Option<(Instant, String)>,
    since: Option<Instant>,
    cause: String,
    warned_at: Option<Instant>,
}

impl Health {
    pub(super) fn new(store: &str) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            store: store.to_owned(),
            saved: zero(),
            failures: zero(),
            merged: zero(),
            gave_up: zero(),
            pressed: zero(),
            loads: zero(),
            hits: zero(),
            damaged: zero(),
            restored: zero(),
            swaps: zero(),
            fetches: zero(),
            fetch_micros: zero(),
            lost: zero(),
            trouble: Mutex::default(),
        }
    }

    /// A call failed, or did not end in time.
    pub(super) fn failed(&self, cause: &str) {
        self.failures.fetch_add(1, Relaxed);
        let mut trouble = self.trouble.lock();
        trouble.since.get_or_insert_with(Instant::now);
        cause.clone_into(&mut trouble.cause);
        if trouble.is_news() {
            drop(trouble);
            tracing::error!(
                "the store fails: {cause}. Sessions stay in memory and on the other nodes, and are saved when it works again"
            );
        }
    }

    /// A call succeeded.
    pub(super) fn works(&self) {
        let since = self.trouble.lock().since.take();
        if let Some(since) = since {
            tracing::info!("the store {} works again after {:?}", self.store, since.elapsed());
        }
    }

    /// A response did not wait any longer for the store.
    pub(super) fn gave_up(&self) {
        self.gave_up.fetch_add(1, Relaxed);
        let is_news = self.trouble.lock().is_news();
        if is_news {
            tracing::error!(
                "the store {} is slow or fails: a response went before its session or its end was stored; a kill of all \
                 nodes now would undo that",
                self.store
            );
        }
    }

    /// A stored session cannot be decrypted. The store works: others are read and saved.
    pub(super) fn undecryptable(&self, error: &StoreError) {
        let mut trouble = self.trouble.lock();
        trouble.undecryptable = Some((Instant::now(), error.to_string()));
        if trouble.is_news() {
            drop(trouble);
            tracing::error!("{error}. Requests of such a session get 503 while no member holds it");
        }
    }

    /// A record cannot be read.
    pub(super) fn damaged(&self, damaged: &DamagedRecord) {
        self.damaged.fetch_add(1, Relaxed);
        tracing::error!("{damaged}");
    }

    /// An error of a call that concerns one session.
    pub(super) fn error(&self, error: &StoreError) {
        match error {
            StoreError::Damaged(damaged) => self.damaged(damaged),
            StoreError::Undecryptable { .. } => self.undecryptable(error),
            other => self.failed(&other.to_string()),
        }
    }

    /// How long the store has not worked; zero while it does.
    pub(super) fn failing_for(&self) -> Duration {
        self.trouble.lock().since.map(|since| since.elapsed()).unwrap_or_default()
    }

    /// What is wrong with the store now.
    pub(crate) fn problem(&self) -> Option<String> {
        let trouble = self.trouble.lock();
        let Some(since) = trouble.since else {
            let (met, cause) = trouble.undecryptable.as_ref()?;
            return (met.elapsed() < REMEMBERED).then(|| cause.clone());
        };
        Some(format!("the store has failed for {} s: {}", since.elapsed().as_secs(), trouble.cause))
    }
}

impl Trouble {
    fn is_news(&mut self) -> bool {
        let is_news = self.warned_at.is_none_or(|warned_at| warned_at.elapsed() >= QUIET);
        if is_news {
            self.warned_at = Some(Instant::now());
        }
        is_news
    }
}
