//! The file store: a log in segments, with its index in memory. The default.
//!
//! ```text
//! save ──► queue ──► writer thread ──► log ──► 0000000000000001.log, …2.log, …   one write and one sync a group
//! load ──► index ──► one read at a position             quarantine/   damaged bytes, for inspection
//! ```
//! A save is answered when it is on disk. Keys never become file names. Must not know what a session is.
//!
//! Next: `frame` is the format, `log` appends and compacts, `writer` groups concurrent saves.

mod frame;
mod index;
mod log;
mod position;
mod quarantine;
mod segments;
mod writer;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::RwLock;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;

use crate::error::{DamagedRecord, StoreError};
use crate::key::Key;
use crate::lifetime::epoch_millis;
use crate::record::Record;
use crate::store::{SaveOutcome, Scan, ScanPage, Store, StoreFuture, StoreSize};
use frame::FRAME_HEADER;
use index::FrameLocation;
use log::{Log, LogContents};
use segments::Segment;
use writer::{LogWriter, ReplySender, WriterJob};

/// Most bytes of the records of one page of a scan.
const PAGE_BYTES: usize = 16 << 20;

/// Location and size limit of a file store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOptions {
    /// The folder, for this node alone; created if missing, readable by its owner only.
    pub folder: PathBuf,
    /// Most bytes of all segments. Dead records are compacted before a save is refused; live sessions may
    /// take three quarters of it. During a compaction one more segment may exist.
    pub max_bytes: u64,
    /// Most bytes of one segment.
    pub segment_bytes: u64,
}

impl FileOptions {
    /// At most 8 GiB in segments of 32 MiB.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), max_bytes: 8 << 30, segment_bytes: 32 << 20 }
    }
}

/// Sessions in a folder of this node.
#[derive(Debug)]
pub struct FileStore {
    name: String,
    jobs: mpsc::Sender<WriterJob>,
    contents: Arc<RwLock<LogContents>>,
    damaged: Vec<DamagedRecord>,
}

impl FileStore {
    /// Opens the folder and reads all segments, on a blocking thread.
    ///
    /// # Errors
    /// [`StoreError::Unusable`]: another process uses the folder, it cannot be read or written, or a newer program
    /// wrote it.
    pub async fn open(options: FileOptions) -> Result<Self, StoreError> {
        let name = format!("file {}", options.folder.display());
        let opened = spawn_blocking(move || Log::open(&options.folder.clone(), options)).await;
        let (log, damaged) = opened
            .map_err(|panic| StoreError::unusable(&name, panic))?
            .map_err(|error| StoreError::unusable(&name, error))?;
        for damage in &damaged {
            tracing::error!(store = name, "{damage}");
        }
        let (jobs, waiting) = mpsc::channel(writer::QUEUE);
        let contents = log.contents();
        let writer = LogWriter::new(name.clone(), log, waiting);
        std::thread::Builder::new()
            .name("sessile-store".into())
            .spawn(move || writer.run())
            .map_err(|error| StoreError::unusable(&name, error))?;
        Ok(Self { name, jobs, contents, damaged })
    }

    /// Records found damaged while the store was opened.
    #[must_use]
    pub fn damaged(&self) -> &[DamagedRecord] {
        &self.damaged
    }

    async fn ask<T>(&self, job: impl FnOnce(ReplySender<T>) -> WriterJob) -> Result<T, StoreError> {
        let closed = || self.closed();
        let (reply, answer) = oneshot::channel();
        self.jobs.send(job(reply)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    fn closed(&self) -> StoreError {
        StoreError::Closed { store: self.name.clone() }
    }

    fn refuse_closed(&self) -> Result<(), StoreError> {
        if self.jobs.is_closed() { Err(self.closed()) } else { Ok(()) }
    }

    /// A segment deleted meanwhile can still be read through the open file found with the location.
    async fn read(&self, key: Key) -> Result<Option<Record>, StoreError> {
        self.refuse_closed()?;
        let Some((spot, segment)) = self.find(key) else { return Ok(None) };
        let wanted = spot.clone();
        let frame = spawn_blocking(move || LogContents::read(&segment, &wanted))
            .await
            .map_err(|panic| StoreError::unavailable(&self.name, panic))?
            .map_err(|error| failure(&self.name, &error))?;
        match frame::record_of(key, &frame.slice(FRAME_HEADER.min(frame.len())..)) {
            Ok(record) => Ok(Some(record)),
            Err(cause) => {
                let damaged =
                    self.ask(|reply| WriterJob::PutAside { key, spot, frame, cause, reply }).await?;
                tracing::error!(store = self.name, "{damaged}");
                Err(StoreError::Damaged(damaged))
            }
        }
    }

    fn find(&self, key: Key) -> Option<(FrameLocation, Segment)> {
        let contents = self.contents.read();
        let spot = contents.index.get(key)?;
        Some((spot.clone(), contents.segments.get(spot.segment)?.clone()))
    }

    /// The keys of the next page, and whether the scan ends with it.
    fn page_of(&self, scan: &Scan) -> (Vec<Key>, bool) {
        let contents = self.contents.read();
        let mut keys = Vec::new();
        let mut bytes = 0;
        let wanted = |spot: &FrameLocation| scan.app.as_ref().is_none_or(|app| spot.app == *app);
        for (key, spot) in contents.index.after(scan.after).filter(|(_, spot)| wanted(spot)) {
            if keys.len() >= scan.limit.max(1) || (bytes + spot.length > PAGE_BYTES && !keys.is_empty()) {
                return (keys, false);
            }
            bytes += spot.length;
            keys.push(*key);
        }
        (keys, true)
    }

    async fn next_page(&self, scan: Scan) -> Result<ScanPage, StoreError> {
        self.refuse_closed()?;
        let (keys, ends) = self.page_of(&scan);
        let mut page = ScanPage { next: keys.last().copied().filter(|_| !ends), ..ScanPage::default() };
        for key in keys {
            match self.read(key).await {
                Ok(record) => page.records.extend(record),
                Err(StoreError::Damaged(damaged)) => page.damaged.push(damaged),
                Err(error) => return Err(error),
            }
        }
        Ok(page)
    }
}

impl Store for FileStore {
    fn name(&self) -> &str {
        &self.name
    }

    fn save(&self, records: Vec<Record>) -> StoreFuture<'_, Vec<SaveOutcome>> {
        Box::pin(self.ask(|reply| WriterJob::Save(records, reply)))
    }

    fn load(&self, key: Key) -> StoreFuture<'_, Option<Record>> {
        Box::pin(self.read(key))
    }

    fn scan(&self, scan: Scan) -> StoreFuture<'_, ScanPage> {
        Box::pin(self.next_page(scan))
    }

    fn purge(&self, now: SystemTime) -> StoreFuture<'_, u64> {
        Box::pin(self.ask(move |reply| WriterJob::Purge { now_millis: epoch_millis(now), reply }))
    }

    fn size(&self) -> StoreFuture<'_, StoreSize> {
        Box::pin(async {
            self.refuse_closed()?;
            Ok(self.contents.read().size())
        })
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        Box::pin(async {
            match self.ask(WriterJob::Close).await {
                Err(StoreError::Closed { .. }) => Ok(()),
                answer => answer,
            }
        })
    }
}

/// Converts a system error.
fn failure(store: &str, error: &io::Error) -> StoreError {
    // An `io::Error` cannot be cloned; its kind and text can.
    let told = io::Error::new(error.kind(), format!("{error}; earlier sessions are intact"));
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            StoreError::full(store, told)
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            StoreError::unusable(store, told)
        }
        _ => StoreError::unavailable(store, told),
    }
}
