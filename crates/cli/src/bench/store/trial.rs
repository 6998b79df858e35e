//! Measures one store: fills, reads, closes, reopens and empties it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sessile::store::{
    Encrypted, FileOptions, FileStore, KeyRing, PostgresOptions, PostgresStore, RedbOptions, RedbStore,
    RedisOptions, RedisStore, Scan, Store, StoreError,
};

use super::load::StoreLoad;
use super::medium;
use crate::failure::Failure;

/// Records of one page of a scan.
const PAGE: usize = 1024;

/// A store to measure.
pub(super) enum StoreTarget {
    File(PathBuf),
    Encrypted(PathBuf, KeyRing),
    Redb(PathBuf),
    Postgres(PostgresOptions),
    Redis(RedisOptions),
}

/// The findings.
pub(super) struct StoreTrial {
    pub(super) name: &'static str,
    pub(super) saves_per_second: f64,
    /// Speed of the medium just before; `None` for a server, whose medium is elsewhere.
    pub(super) medium_per_second: Option<f64>,
    pub(super) loads_per_second: f64,
    /// Time to open the store with all sessions and to scan them.
    pub(super) reopened: Duration,
}

impl StoreTrial {
    /// Save rate relative to the raw medium.
    pub(super) fn share(&self) -> Option<f64> {
        self.medium_per_second.map(|medium| self.saves_per_second / medium)
    }
}

impl StoreTarget {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::File(_) => "file",
            Self::Encrypted(..) => "file, encrypted",
            Self::Redb(_) => "redb",
            Self::Postgres(_) => "postgres",
            Self::Redis(_) => "redis",
        }
    }

    fn is_server(&self) -> bool {
        matches!(self, Self::Postgres(_) | Self::Redis(_))
    }

    async fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(match self {
            Self::File(folder) => Arc::new(FileStore::open(FileOptions::new(folder)).await?),
            Self::Encrypted(folder, keys) => {
                let store = FileStore::open(FileOptions::new(folder)).await?;
                Arc::new(Encrypted::new(Arc::new(store), keys.clone()))
            }
            Self::Redb(path) => Arc::new(RedbStore::open(RedbOptions::new(path)).await?),
            Self::Postgres(options) => Arc::new(PostgresStore::open(options.clone())?),
            Self::Redis(options) => Arc::new(RedisStore::open(options.clone())?),
        })
    }
}

/// Measures it.
pub(super) async fn measure(
    kind: &StoreTarget,
    load: &StoreLoad,
    folder: &Path,
) -> Result<StoreTrial, Failure> {
    let failed = |error: StoreError| Failure::Failed(error.to_string());
    let medium_per_second = match kind.is_server() {
        true => None,
        false => Some(
            medium::measure(*load, folder)
                .map_err(|error| Failure::Failed(format!("{}: {error}", folder.display())))?,
        ),
    };
    let store = kind.open().await.map_err(failed)?;
    let saving = save_all(&*store, load).await?;
    let loading = load_all(&*store, load).await?;
    store.close().await.map_err(failed)?;

    let begun = Instant::now();
    let store = kind.open().await.map_err(failed)?;
    let seen = scan_all(&*store).await.map_err(failed)?;
    let reopened = begun.elapsed();
    if seen < load.sessions {
        return Err(Failure::Failed(format!(
            "{} sessions were saved but a scan finds {seen}",
            load.sessions
        )));
    }
    empty(kind, &*store).await.map_err(failed)?;
    store.close().await.map_err(failed)?;
    let rate = |time: Duration| load.sessions as f64 / time.as_secs_f64();
    let (saves_per_second, loads_per_second) = (rate(saving), rate(loading));
    Ok(StoreTrial { name: kind.name(), saves_per_second, medium_per_second, loads_per_second, reopened })
}

/// Time in `save` alone; generating the sessions is not counted.
async fn save_all(store: &dyn Store, load: &StoreLoad) -> Result<Duration, Failure> {
    let mut saving = Duration::ZERO;
    for batch in load.batches() {
        let batch = batch.map_err(|error| Failure::Usage(error.to_string()))?;
        let begun = Instant::now();
        let outcomes = store.save(batch).await.map_err(|error| Failure::Failed(error.to_string()))?;
        saving += begun.elapsed();
        if !outcomes.iter().all(|outcome| outcome.is_saved()) {
            return Err(Failure::Failed(format!("the {} store did not save every session", store.name())));
        }
    }
    Ok(saving)
}

async fn load_all(store: &dyn Store, load: &StoreLoad) -> Result<Duration, Failure> {
    let begun = Instant::now();
    for key in load.keys() {
        let record = store.load(key).await.map_err(|error| Failure::Failed(error.to_string()))?;
        record.ok_or_else(|| Failure::Failed(format!("session {key} was saved but cannot be loaded")))?;
    }
    Ok(begun.elapsed())
}

async fn scan_all(store: &dyn Store) -> Result<usize, StoreError> {
    let mut seen = 0;
    let mut scan = Scan::pages_of(PAGE);
    loop {
        let page = store.scan(scan.clone()).await?;
        seen += page.records.len();
        scan.after = match page.next {
            Some(next) => Some(next),
            None => return Ok(seen),
        };
    }
}

/// Removes the sessions from a server. Folders are removed with everything in them.
async fn empty(kind: &StoreTarget, store: &dyn Store) -> Result<(), StoreError> {
    if kind.is_server() {
        let when_all_are_garbage = std::time::SystemTime::now() + sessile::store::Lifetime::LONGEST / 2;
        store.purge(when_all_are_garbage).await?;
    }
    Ok(())
}
