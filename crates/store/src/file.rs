//! The file store: a log in segments, with its index in memory. The default.
//!
//! ```text
//! save ──► queue ──► writer thread ──► log ──► 0000000000000001.log, …2.log, …   one write and one sync a group
//! load ──► index ──► one read at a position             quarantine/   damaged bytes, for a person
//! ```
//! A save is answered when it is on the disk. A key never becomes the name of a file. It must not know what a
//! session is.
//!
//! Where to go next: `frame` is the format, `log` appends and cleans up, `writer` groups what is saved at once.

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

use crate::error::{Damaged, StoreError};
use crate::key::Key;
use crate::lifetime::epoch_millis;
use crate::record::Record;
use crate::store::{Answer, Outcome, Page, Scan, Size, Store};
use frame::FRAME_HEADER;
use index::Spot;
use log::{Contents, Log};
use segments::Segment;
use writer::{Job, Reply, Writer};

/// A page of a scan ends when its records take so many bytes.
const PAGE_BYTES: usize = 16 << 20;

/// Where the file store lies and how large it may become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOptions {
    /// The folder, of this node alone; it is made when there is none, readable by its owner only.
    pub folder: PathBuf,
    /// The most bytes of all segments. What is dead in them is cleaned up before a save is refused; when that is
    /// not enough, sessions may take three quarters of it. While a segment is cleaned, one more may be there.
    pub max_bytes: u64,
    /// A segment ends when it would become larger.
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
    jobs: mpsc::Sender<Job>,
    contents: Arc<RwLock<Contents>>,
    damaged: Vec<Damaged>,
}

impl FileStore {
    /// Opens the folder and reads all that is in it, on a thread for blocking work.
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
        let writer = Writer::new(name.clone(), log, waiting);
        std::thread::Builder::new()
            .name("sessile-store".into())
            .spawn(move || writer.run())
            .map_err(|error| StoreError::unusable(&name, error))?;
        Ok(Self { name, jobs, contents, damaged })
    }

    /// What was damaged when the store was opened.
    #[must_use]
    pub fn damaged(&self) -> &[Damaged] {
        &self.damaged
    }

    async fn ask<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, StoreError> {
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

    /// A segment that is deleted meanwhile can still be read through the file that was found with the spot.
    async fn read(&self, key: Key) -> Result<Option<Record>, StoreError> {
        self.refuse_closed()?;
        let Some((spot, segment)) = self.find(key) else { return Ok(None) };
        let wanted = spot.clone();
        let frame = spawn_blocking(move || Contents::read(&segment, &wanted))
            .await
            .map_err(|panic| StoreError::unavailable(&self.name, panic))?
            .map_err(|error| failure(&self.name, &error))?;
        match frame::record_of(key, &frame.slice(FRAME_HEADER.min(frame.len())..)) {
            Ok(record) => Ok(Some(record)),
            Err(cause) => {
                let damaged = self.ask(|reply| Job::PutAside { key, spot, frame, cause, reply }).await?;
                tracing::error!(store = self.name, "{damaged}");
                Err(StoreError::Damaged(damaged))
            }
        }
    }

    fn find(&self, key: Key) -> Option<(Spot, Segment)> {
        let contents = self.contents.read();
        let spot = contents.index.get(key)?;
        Some((spot.clone(), contents.segments.get(spot.segment)?.clone()))
    }

    /// The keys of the next page, and whether the scan ends with it.
    fn page_of(&self, scan: &Scan) -> (Vec<Key>, bool) {
        let contents = self.contents.read();
        let mut keys = Vec::new();
        let mut bytes = 0;
        let wanted = |spot: &Spot| scan.app.as_ref().is_none_or(|app| spot.app == *app);
        for (key, spot) in contents.index.after(scan.after).filter(|(_, spot)| wanted(spot)) {
            if keys.len() >= scan.limit.max(1) || (bytes + spot.length > PAGE_BYTES && !keys.is_empty()) {
                return (keys, false);
            }
            bytes += spot.length;
            keys.push(*key);
        }
        (keys, true)
    }

    async fn next_page(&self, scan: Scan) -> Result<Page, StoreError> {
        self.refuse_closed()?;
        let (keys, ends) = self.page_of(&scan);
        let mut page = Page { next: keys.last().copied().filter(|_| !ends), ..Page::default() };
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

    fn save(&self, records: Vec<Record>) -> Answer<'_, Vec<Outcome>> {
        Box::pin(self.ask(|reply| Job::Save(records, reply)))
    }

    fn load(&self, key: Key) -> Answer<'_, Option<Record>> {
        Box::pin(self.read(key))
    }

    fn scan(&self, scan: Scan) -> Answer<'_, Page> {
        Box::pin(self.next_page(scan))
    }

    fn purge(&self, now: SystemTime) -> Answer<'_, u64> {
        Box::pin(self.ask(move |reply| Job::Purge { now_millis: epoch_millis(now), reply }))
    }

    fn size(&self) -> Answer<'_, Size> {
        Box::pin(async {
            self.refuse_closed()?;
            Ok(self.contents.read().size())
        })
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(async {
            match self.ask(Job::Close).await {
                Err(StoreError::Closed { .. }) => Ok(()),
                answer => answer,
            }
        })
    }
}

/// What the system's error means for the caller.
fn failure(store: &str, error: &io::Error) -> StoreError {
    // An `io::Error` cannot be shared; its kind and words can.
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
