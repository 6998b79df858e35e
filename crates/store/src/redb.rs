//! The embedded database: one redb file, for random access to many sessions that are not in memory.
//!
//! It keeps only redb's cache in memory, and opens at once whatever its size. It saves more slowly than the
//! file store, because redb writes whole pages.
//!
//! Next: `damage` for a file that is damaged.

mod damage;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use parking_lot::Mutex;
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition};

use crate::codec;
use crate::error::{DamagedRecord, StoreError};
use crate::key::Key;
use crate::lifetime::epoch_millis;
use crate::record::Record;
use crate::store::{SaveOutcome, Scan, ScanPage, Store, StoreFuture, StoreSize};
use damage::{Failed, attempt};

const RECORDS: TableDefinition<'_, u128, &[u8]> = TableDefinition::new("records");
const DAMAGED: TableDefinition<'_, u128, &[u8]> = TableDefinition::new("damaged");
/// One row: total bytes of all records.
const BYTES: TableDefinition<'_, (), u64> = TableDefinition::new("bytes");

/// Most bytes of the records of one page of a scan.
const PAGE_BYTES: usize = 16 << 20;

/// Location and size limit of a redb store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedbOptions {
    /// The file, for this node alone; created if missing.
    pub path: PathBuf,
    /// Most bytes of all records; the file is about twice as large.
    pub max_bytes: u64,
    /// Size of redb's cache.
    pub cache_bytes: usize,
}

impl RedbOptions {
    /// At most 8 GiB, with a cache of 64 MiB.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), max_bytes: 8 << 30, cache_bytes: 64 << 20 }
    }
}

/// Sessions in a redb file of this node.
#[derive(Debug, Clone)]
pub struct RedbStore {
    name: Arc<str>,
    options: Arc<RedbOptions>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
enum DatabaseHandle {
    Open(Arc<Database>),
    /// After an I/O error, for example a full disk, redb must be reopened.
    Lost,
    Closed,
}

/// The database of all clones of a store.
#[derive(Debug)]
struct Shared(Mutex<DatabaseHandle>);

/// Closing a database writes, so it meets damage as any call does.
impl Drop for Shared {
    fn drop(&mut self) {
        let last = std::mem::replace(self.0.get_mut(), DatabaseHandle::Closed);
        if let Err(Failed::Damaged(cause)) = attempt(|| {
            drop(last);
            Ok(())
        }) {
            tracing::error!(%cause, "a redb file is damaged, as its closing shows; the next start looks at it");
        }
    }
}

impl RedbStore {
    /// Opens or creates the file. A damaged file, or one that is no redb database, is renamed to
    /// `….damaged-1`, which the log names, and the store begins anew.
    ///
    /// # Errors
    /// Another process uses the file, it cannot be read or written, or three damaged ones are beside it
    /// already.
    pub async fn open(options: RedbOptions) -> Result<Self, StoreError> {
        let name: Arc<str> = format!("redb {}", options.path.display()).into();
        let store = Self {
            name,
            options: Arc::new(options),
            shared: Arc::new(Shared(Mutex::new(DatabaseHandle::Lost))),
        };
        let opened = store.clone();
        store.blocking(move || opened.database().map(drop)).await?;
        Ok(store)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|panic| StoreError::unavailable(&self.name, panic))?
    }

    fn database(&self) -> Result<Arc<Database>, StoreError> {
        let mut handle = self.shared.0.lock();
        match &*handle {
            DatabaseHandle::Open(database) => return Ok(Arc::clone(database)),
            DatabaseHandle::Closed => return Err(StoreError::Closed { store: self.name.to_string() }),
            DatabaseHandle::Lost => {}
        }
        let database = match attempt(|| create(&self.options)) {
            Ok(database) => database,
            Err(Failed::Redb(error)) => return Err(self.failure(error)),
            Err(Failed::Damaged(cause)) => self.begin_anew(&cause)?.0,
        };
        let database = Arc::new(database);
        *handle = DatabaseHandle::Open(Arc::clone(&database));
        Ok(database)
    }

    /// Puts the damaged file aside and makes a new one.
    fn begin_anew(&self, cause: &str) -> Result<(Database, PathBuf), StoreError> {
        let path = &self.options.path;
        let aside = damage::put_aside(path).map_err(|error| StoreError::unusable(&self.name, error))?;
        tracing::error!(
            store = &*self.name,
            "the file is damaged ({cause}) and is now {}; the store begins anew. Sessions that a member holds are not affected. \
             Keep the file for inspection, or remove it",
            aside.display()
        );
        match attempt(|| create(&self.options)) {
            Ok(database) => Ok((database, aside)),
            Err(Failed::Redb(error)) => Err(self.failure(error)),
            Err(Failed::Damaged(cause)) => Err(StoreError::unavailable(&self.name, cause)),
        }
    }

    /// A call met damage: what can be read goes into a new file.
    fn replace(&self, damaged: &Arc<Database>, cause: &str) -> StoreError {
        let mut handle = self.shared.0.lock();
        if matches!(&*handle, DatabaseHandle::Open(current) if Arc::ptr_eq(current, damaged)) {
            *handle = DatabaseHandle::Lost;
            match self.begin_anew(cause) {
                Ok((database, aside)) => {
                    let rescued = damage::rescue(damaged, &database);
                    let aside = aside.display();
                    tracing::error!(store = &*self.name, "{rescued} sessions were rescued from {aside}");
                    *handle = DatabaseHandle::Open(Arc::new(database));
                }
                Err(error) => return error,
            }
        }
        StoreError::unavailable(&self.name, format!("its file was damaged and replaced: {cause}"))
    }

    /// Runs `work` on the open database.
    fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, StoreError> {
        let database = self.database()?;
        match attempt(|| work(&database)) {
            Ok(done) => Ok(done),
            Err(Failed::Damaged(cause)) => Err(self.replace(&database, &cause)),
            Err(Failed::Redb(error)) => {
                if matches!(error, redb::Error::Io(_) | redb::Error::PreviousIo) {
                    let mut handle = self.shared.0.lock();
                    if matches!(*handle, DatabaseHandle::Open(_)) {
                        *handle = DatabaseHandle::Lost;
                    }
                }
                Err(self.failure(error))
            }
        }
    }

    fn failure(&self, error: redb::Error) -> StoreError {
        match &error {
            redb::Error::Io(cause)
                if matches!(
                    cause.kind(),
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
                ) =>
            {
                StoreError::full(&self.name, error)
            }
            redb::Error::Io(_) | redb::Error::PreviousIo => StoreError::unavailable(&self.name, error),
            redb::Error::DatabaseAlreadyOpen => StoreError::unusable(
                &self.name,
                io::Error::new(
                    io::ErrorKind::ResourceBusy,
                    "another process uses this file; give each node its own file",
                ),
            ),
            _ => StoreError::unusable(&self.name, error),
        }
    }

    fn save_all(&self, records: &[Record]) -> Result<Vec<SaveOutcome>, StoreError> {
        let saved = self.with(|database| save(database, records, self.options.max_bytes, &self.name))?;
        saved.ok_or_else(|| {
            let max_bytes = self.options.max_bytes;
            let cause = format!("its sessions take more than {max_bytes} bytes; raise `max_bytes`, or purge");
            StoreError::full(&self.name, cause)
        })
    }

    fn load_one(&self, key: Key) -> Result<Option<Record>, StoreError> {
        let found = self.with(|database| {
            let table = database.begin_read()?.open_table(RECORDS)?;
            Ok(table.get(u128::from(key))?.map(|sealed| Bytes::copy_from_slice(sealed.value())))
        })?;
        let Some(sealed) = found else { return Ok(None) };
        match read(key, &sealed) {
            Ok(record) => Ok(Some(record)),
            Err(cause) => Err(StoreError::Damaged(self.put_aside(key, &sealed, cause)?)),
        }
    }

    fn page(&self, scan: &Scan) -> Result<ScanPage, StoreError> {
        let (found, ends) = self.with(|database| next_page(database, scan))?;
        let next = found.last().map(|(key, _)| *key).filter(|_| !ends);
        let mut page = ScanPage { next, ..ScanPage::default() };
        for (key, sealed) in found {
            match read(key, &sealed) {
                Ok(record) if scan.app.as_ref().is_none_or(|app| record.app == *app) => {
                    page.records.push(record)
                }
                Ok(_) => {}
                Err(cause) => page.damaged.push(self.put_aside(key, &sealed, cause)?),
            }
        }
        Ok(page)
    }

    /// Moves a damaged record into the quarantine table, unless it was replaced meanwhile.
    fn put_aside(&self, key: Key, sealed: &[u8], cause: &'static str) -> Result<DamagedRecord, StoreError> {
        self.with(|database| {
            let writing = database.begin_write()?;
            {
                let mut records = writing.open_table(RECORDS)?;
                let same = records.get(u128::from(key))?.is_some_and(|there| there.value() == sealed);
                if same {
                    records.remove(u128::from(key))?;
                    writing.open_table(DAMAGED)?.insert(u128::from(key), sealed)?;
                    count(&writing, 0, sealed.len())?;
                }
            }
            writing.commit()?;
            Ok(())
        })?;
        let place = format!("table \"damaged\" of {}, key {key}", self.options.path.display());
        let damaged = DamagedRecord { key: Some(key), place, cause: cause.into() };
        tracing::error!(store = &*self.name, "{damaged}");
        Ok(damaged)
    }

    fn purge_before(&self, now_millis: u64) -> Result<u64, StoreError> {
        self.with(|database| {
            let writing = database.begin_write()?;
            let mut purged = 0;
            let mut bytes = 0;
            writing.open_table(RECORDS)?.retain(|key, sealed| {
                let record = read(key.into(), &Bytes::copy_from_slice(sealed));
                let garbage = record.is_ok_and(|record| record.lifetime.garbage_millis() < now_millis);
                if garbage {
                    purged += 1;
                    bytes += sealed.len();
                }
                !garbage
            })?;
            count(&writing, 0, bytes)?;
            writing.commit()?;
            Ok(purged)
        })
    }

    fn measure(&self) -> Result<StoreSize, StoreError> {
        let path: &Path = &self.options.path;
        self.with(|database| {
            let reading = database.begin_read()?;
            Ok(StoreSize {
                records: reading.open_table(RECORDS)?.len()?,
                bytes: path.metadata()?.len(),
                damaged: reading.open_table(DAMAGED)?.len()? + damage::files_aside(path),
            })
        })
    }
}

fn create(options: &RedbOptions) -> Result<Database, redb::Error> {
    let database = redb::Builder::new().set_cache_size(options.cache_bytes).create(&options.path)?;
    #[cfg(unix)]
    std::fs::set_permissions(&options.path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let writing = database.begin_write()?;
    writing.open_table(RECORDS)?;
    writing.open_table(DAMAGED)?;
    writing.open_table(BYTES)?;
    writing.commit()?;
    Ok(database)
}

/// Saves a batch in one transaction; `None` if it would exceed the size limit.
fn save(
    database: &Database,
    records: &[Record],
    max_bytes: u64,
    name: &str,
) -> Result<Option<Vec<SaveOutcome>>, redb::Error> {
    let writing = database.begin_write()?;
    let (mut added, mut removed) = (0, 0);
    let mut outcomes = Vec::with_capacity(records.len());
    {
        let mut table = writing.open_table(RECORDS)?;
        for record in records {
            if let Err(malformed) = record.check() {
                outcomes.push(SaveOutcome::Failed(StoreError::unusable(name, malformed)));
                continue;
            }
            let key = u128::from(record.key);
            let there = table.get(key)?.map(|sealed| Bytes::copy_from_slice(sealed.value()));
            // A damaged record has no version to compare.
            let stored = there.as_ref().and_then(|sealed| read(record.key, sealed).ok());
            if stored.is_some_and(|stored| !record.supersedes(&stored)) {
                outcomes.push(SaveOutcome::Superseded);
                continue;
            }
            let sealed = codec::seal(record);
            added += sealed.len();
            removed += there.map_or(0, |sealed| sealed.len());
            table.insert(key, &sealed[..])?;
            outcomes.push(SaveOutcome::Saved);
        }
    }
    if added > 0 {
        if count(&writing, added, removed)? > max_bytes && added > removed {
            writing.abort()?;
            return Ok(None);
        }
        writing.commit()?;
    } else {
        writing.abort()?;
    }
    Ok(Some(outcomes))
}

/// Updates the total bytes of all records; returns the new total.
fn count(writing: &redb::WriteTransaction, added: usize, removed: usize) -> Result<u64, redb::Error> {
    let mut table = writing.open_table(BYTES)?;
    let before = table.get(())?.map_or(0, |bytes| bytes.value());
    let now = (before + added as u64).saturating_sub(removed as u64);
    table.insert((), now)?;
    Ok(now)
}

/// The next rows, including those of other applications, and whether they are the last ones.
fn next_page(database: &Database, scan: &Scan) -> Result<(Vec<(Key, Bytes)>, bool), redb::Error> {
    use std::ops::Bound::{Excluded, Unbounded};
    let table = database.begin_read()?.open_table(RECORDS)?;
    let after = scan.after.map_or(Unbounded, |key| Excluded(u128::from(key)));
    let mut found = Vec::new();
    let mut bytes = 0;
    for row in table.range::<u128>((after, Unbounded))? {
        let (key, sealed) = row?;
        let length = sealed.value().len();
        if found.len() >= scan.limit.max(1) || (bytes + length > PAGE_BYTES && !found.is_empty()) {
            return Ok((found, false));
        }
        bytes += length;
        found.push((Key::from(key.value()), Bytes::copy_from_slice(sealed.value())));
    }
    Ok((found, true))
}

fn read(key: Key, sealed: &Bytes) -> Result<Record, &'static str> {
    match codec::open(sealed) {
        Ok(record) if record.key == key => Ok(record),
        Ok(_) => Err("it is stored under the key of another session"),
        Err(cause) => Err(cause),
    }
}

impl Store for RedbStore {
    fn name(&self) -> &str {
        &self.name
    }

    fn save(&self, records: Vec<Record>) -> StoreFuture<'_, Vec<SaveOutcome>> {
        let store = self.clone();
        Box::pin(self.blocking(move || store.save_all(&records)))
    }

    fn load(&self, key: Key) -> StoreFuture<'_, Option<Record>> {
        let store = self.clone();
        Box::pin(self.blocking(move || store.load_one(key)))
    }

    fn scan(&self, scan: Scan) -> StoreFuture<'_, ScanPage> {
        let store = self.clone();
        Box::pin(self.blocking(move || store.page(&scan)))
    }

    fn purge(&self, now: SystemTime) -> StoreFuture<'_, u64> {
        let store = self.clone();
        Box::pin(self.blocking(move || store.purge_before(epoch_millis(now))))
    }

    fn size(&self) -> StoreFuture<'_, StoreSize> {
        let store = self.clone();
        Box::pin(self.blocking(move || store.measure()))
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        let store = self.clone();
        Box::pin(self.blocking(move || {
            *store.shared.0.lock() = DatabaseHandle::Closed;
            Ok(())
        }))
    }
}

#[cfg(test)]
mod tests;
