//! From what is seen in the watched directory to deployments and removals.
//!
//! Only a change deploys something: what was taken once is not taken again, also not after a restart or a rollback.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use sessile::config;
use tokio::sync::{Mutex, mpsc};

use super::archived::{Archived, Digest};
use super::driver::{Asker, Driver, Event, blocking};
use super::protocol::{Outcome, Protocol};
use super::shelf::Shelf;
use super::watch::{Fingerprint, Found, Look, Watcher};

/// Pause before what failed for want of time or of members is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// What a look at the directory found that was not there at the last one.
pub(crate) struct Sighted {
    arrived: Vec<(Found, Result<Archived, String>)>,
    gone: Vec<String>,
}

/// The watched directory of a node, if it has one.
pub(crate) struct Watching {
    watcher: Option<Arc<Mutex<Watcher>>>,
    interval: Duration,
    archive_bytes: u64,
    next: Duration,
    /// What was dealt with, by path.
    taken: BTreeMap<String, Fingerprint>,
    not_before: BTreeMap<String, Duration>,
    events: mpsc::Sender<Event>,
    /// The directory could not be looked at, which was told.
    failing: Arc<AtomicBool>,
}

impl Watching {
    pub(super) fn new(farm: &config::Farm, events: mpsc::Sender<Event>) -> Self {
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

    /// Looks at the directory in a task of its own; one look at a time.
    pub(super) fn look_when_due(&mut self, now: Duration, machine: &Protocol, shelf: &Arc<Shelf>) {
        let Some(watcher) = self.watcher.as_ref().filter(|_| now >= self.next) else { return };
        let Ok(watcher) = Arc::clone(watcher).try_lock_owned() else { return };
        self.next = now + self.interval;
        let known: Vec<String> = machine.catalog().watched.keys().cloned().collect();
        let (taken, shelf, limit) = (self.taken.clone(), Arc::clone(shelf), self.archive_bytes);
        let waiting = self.not_before.iter().filter(|(_, not_before)| now < **not_before);
        let waiting: Vec<String> = waiting.map(|(path, _)| path.clone()).collect();
        let (events, failing) = (self.events.clone(), Arc::clone(&self.failing));
        tokio::spawn(async move {
            let mut watcher = watcher;
            let looked = blocking(move || {
                let Look { found, gone } = watcher.look(&known)?;
                let is_new = |found: &Found| {
                    let path = &found.name.path;
                    taken.get(path) != Some(&found.fingerprint) && !waiting.contains(path)
                };
                let arrived = found.into_values().filter(is_new).map(|found| {
                    let archived = take_in(&shelf, &found, limit);
                    (found, archived)
                });
                Ok(Sighted { arrived: arrived.collect(), gone })
            });
            let looked = looked.await;
            let was_failing = failing.swap(looked.is_err(), Relaxed);
            match looked {
                Ok(sighted) if sighted.arrived.is_empty() && sighted.gone.is_empty() => {}
                // The driver has ended when nobody hears it.
                Ok(sighted) => drop(events.send(Event::Sighted(sighted)).await),
                Err(cause) if !was_failing => tracing::error!(%cause, "[farm] watch_dir cannot be looked at"),
                Err(_) => {}
            }
        });
    }
}

fn take_in(shelf: &Shelf, found: &Found, limit: u64) -> Result<Archived, String> {
    let taken = shelf.take_in(&found.file, limit);
    let (digest, bytes) = taken.map_err(|cause| cause.to_string())?;
    Ok(Archived { name: found.name.clone(), digest, bytes })
}

impl Driver {
    /// Deploys what arrived and removes what is gone.
    pub(super) async fn sighted(&mut self, sighted: Sighted) {
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

    async fn arrived(&mut self, found: &Found, archived: Archived) {
        let (path, digest) = (&found.name.path, archived.digest);
        self.machine.shelved(digest);
        let catalog = self.machine.catalog();
        let is_active = catalog.active(path).is_some_and(|active| active.digest == digest);
        if is_active || catalog.watched.get(path) == Some(&digest) {
            self.watching.taken.insert(path.clone(), found.fingerprint);
            self.remember(path, Some(digest)).await;
        } else if !self.machine.is_busy(path) {
            let seen = Some((digest, found.fingerprint));
            self.order(archived, Asker::Directory(seen)).await;
        }
    }

    /// Removes the application when it is the one that came from the directory.
    async fn gone(&mut self, path: &str) {
        let catalog = self.machine.catalog();
        let came_from_there = catalog.active(path).map(|active| &active.digest) == catalog.watched.get(path);
        if !came_from_there {
            tracing::info!(
                app = path,
                "its archive in [farm] watch_dir is gone; what runs was deployed otherwise and stays"
            );
            self.remember(path, None).await;
        } else if !self.machine.is_busy(path) {
            self.order_at(path, None, Asker::Directory(None)).await;
        }
    }

    /// A deployment from the directory is over: only what failed for want of time or of members is tried again.
    pub(super) async fn watched(
        &mut self,
        path: &str,
        seen: Option<(Digest, Fingerprint)>,
        outcome: &Outcome,
    ) {
        if matches!(outcome, Outcome::TimedOut { .. } | Outcome::Busy) {
            let again = self.now() + RETRY;
            self.watching.not_before.insert(path.to_owned(), again);
            return;
        }
        match seen {
            Some((_, fingerprint)) => drop(self.watching.taken.insert(path.to_owned(), fingerprint)),
            None => drop(self.watching.taken.remove(path)),
        }
        self.remember(path, seen.map(|(digest, _)| digest)).await;
    }

    async fn remember(&mut self, path: &str, digest: Option<Digest>) {
        if self.machine.catalog().watched.get(path) != digest.as_ref() {
            self.machine.watched(path, digest);
            self.save().await;
        }
    }
}
