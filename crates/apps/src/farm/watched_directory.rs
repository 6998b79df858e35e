//! Turns changes of the watched directory into deployments and removals.
//!
//! Only a change deploys: an archive is taken once, also across restarts and rollbacks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use sessile::config;
use tokio::sync::{Mutex, mpsc};

use super::archive_ref::{ArchiveRef, Digest};
use super::archive_store::ArchiveStore;
use super::driver::{Driver, DriverEvent, Requester, blocking};
use super::protocol::{DeployOutcome, Protocol};
use super::watch::{DirectoryScan, Fingerprint, FoundArchive, Watcher};

/// Pause before a deployment that timed out or was busy is retried.
const RETRY: Duration = Duration::from_secs(10);

/// Changes of the directory since the last scan.
pub(crate) struct DirectoryChanges {
    arrived: Vec<(FoundArchive, Result<ArchiveRef, String>)>,
    gone: Vec<String>,
}

/// The watched directory of a node, if it has one.
pub(crate) struct WatchedDirectory {
    watcher: Option<Arc<Mutex<Watcher>>>,
    interval: Duration,
    archive_bytes: u64,
    next: Duration,
    /// Handled archives, by path.
    taken: BTreeMap<String, Fingerprint>,
    not_before: BTreeMap<String, Duration>,
    events: mpsc::Sender<DriverEvent>,
    /// The directory is unreadable, and this was logged.
    failing: Arc<AtomicBool>,
}

impl WatchedDirectory {
    pub(super) fn new(farm: &config::Farm, events: mpsc::Sender<DriverEvent>) -> Self {
        let directory = farm.watch_dir.clone().filter(|_| farm.watch);
        Self {
            watcher: directory.map(|directory| Arc::new(Mutex::new(Watcher::new(directory)))),
            interval: farm.interval,
            archive_bytes: farm.max_archive_bytes as u64,
            next: Duration::ZERO,
            taken: BTreeMap::new(),
            not_before: BTreeMap::new(),
            events,
            failing: Arc::default(),
        }
    }

    /// Scans the directory in a separate task, one scan at a time.
    pub(super) fn look_when_due(&mut self, now: Duration, machine: &Protocol, store: &Arc<ArchiveStore>) {
        let Some(watcher) = self.watcher.as_ref().filter(|_| now >= self.next) else { return };
        let Ok(watcher) = Arc::clone(watcher).try_lock_owned() else { return };
        self.next = now + self.interval;
        let known: Vec<String> = machine.catalog().watched.keys().cloned().collect();
        let (taken, store, limit) = (self.taken.clone(), Arc::clone(store), self.archive_bytes);
        let waiting = self.not_before.iter().filter(|(_, not_before)| now < **not_before);
        let waiting: Vec<String> = waiting.map(|(path, _)| path.clone()).collect();
        let (events, failing) = (self.events.clone(), Arc::clone(&self.failing));
        tokio::spawn(async move {
            let mut watcher = watcher;
            let looked = blocking(move || {
                let DirectoryScan { found, gone } = watcher.look(&known)?;
                let is_new = |found: &FoundArchive| {
                    let path = &found.name.path;
                    taken.get(path) != Some(&found.fingerprint) && !waiting.contains(path)
                };
                let arrived = found.into_values().filter(is_new).map(|found| {
                    let archived = take_in(&store, &found, limit);
                    (found, archived)
                });
                Ok(DirectoryChanges { arrived: arrived.collect(), gone })
            });
            let looked = looked.await;
            let was_failing = failing.swap(looked.is_err(), Relaxed);
            match looked {
                Ok(sighted) if sighted.arrived.is_empty() && sighted.gone.is_empty() => {}
                // If the channel is closed, the driver has ended.
                Ok(sighted) => drop(events.send(DriverEvent::DirectoryChanges(sighted)).await),
                Err(cause) if !was_failing => tracing::error!(%cause, "[farm] watch_dir cannot be read"),
                Err(_) => {}
            }
        });
    }
}

fn take_in(store: &ArchiveStore, found: &FoundArchive, limit: u64) -> Result<ArchiveRef, String> {
    let taken = store.take_in(&found.file, limit);
    let (digest, bytes) = taken.map_err(|cause| cause.to_string())?;
    Ok(ArchiveRef { name: found.name.clone(), digest, bytes })
}

impl Driver {
    /// Deploys new archives and removes missing ones.
    pub(super) async fn sighted(&mut self, sighted: DirectoryChanges) {
        for (found, archived) in sighted.arrived {
            match archived {
                Ok(archived) => self.arrived(&found, archived).await,
                Err(cause) => {
                    tracing::error!(archive = %found.name, %cause, "not deployed");
                    self.watching.taken.insert(found.name.path, found.fingerprint);
                }
            }
        }
        for path in sighted.gone {
            self.gone(&path).await;
        }
    }

    async fn arrived(&mut self, found: &FoundArchive, archived: ArchiveRef) {
        let (path, digest) = (&found.name.path, archived.digest);
        self.machine.archive_stored(digest);
        let catalog = self.machine.catalog();
        let is_active = catalog.active(path).is_some_and(|active| active.digest == digest);
        if is_active || catalog.watched.get(path) == Some(&digest) {
            self.watching.taken.insert(path.clone(), found.fingerprint.clone());
            self.remember(path, Some(digest)).await;
        } else if !self.machine.is_busy(path) {
            let seen = Some((digest, found.fingerprint.clone()));
            self.order(archived, Requester::Directory(seen)).await;
        }
    }

    /// Removes the application if it came from the directory.
    async fn gone(&mut self, path: &str) {
        let catalog = self.machine.catalog();
        let came_from_there = catalog.active(path).map(|active| &active.digest) == catalog.watched.get(path);
        if !came_from_there {
            tracing::info!(
                app = path,
                "the archive in [farm] watch_dir is gone; the running version was deployed otherwise and stays"
            );
            self.remember(path, None).await;
        } else if !self.machine.is_busy(path) {
            self.order_at(path, None, Requester::Directory(None)).await;
        }
    }

    /// A deployment from the directory is over: only a timed-out or busy one is retried.
    pub(super) async fn watched(
        &mut self,
        path: &str,
        seen: Option<(Digest, Fingerprint)>,
        outcome: &DeployOutcome,
    ) {
        if matches!(outcome, DeployOutcome::TimedOut { .. } | DeployOutcome::Busy) {
            let again = self.now() + RETRY;
            self.watching.not_before.insert(path.to_owned(), again);
            return;
        }
        let digest = seen.as_ref().map(|(digest, _)| *digest);
        match seen {
            Some((_, fingerprint)) => drop(self.watching.taken.insert(path.to_owned(), fingerprint)),
            None => drop(self.watching.taken.remove(path)),
        }
        self.remember(path, digest).await;
    }

    async fn remember(&mut self, path: &str, digest: Option<Digest>) {
        if self.machine.catalog().watched.get(path) != digest.as_ref() {
            self.machine.watched(path, digest);
            self.save().await;
        }
    }
}
