//! Carries out what the state machine wants, one thing after the other.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sessile::config::App;
use sessile::{Cluster, To};
use tokio::time::sleep;

use super::archived::Archived;
use super::driver::{Driver, Event, blocking};
use super::message::{Message, Order};
use super::protocol::{Effect, Member};
use super::shelf::Shelf;
use super::stamp::Stamp;
use crate::site::{Application, Site, Unmounted, Workshop};

/// What the farms of the members write on their letters.
pub(super) const TOPIC: &str = "sessile farm 1";
/// How often it is looked whether the last request of a removed application is over.
const RETIRE_POLL: Duration = Duration::from_millis(100);
/// Longest wait for that.
const RETIRE_TIME: Duration = Duration::from_secs(60);

impl Driver {
    /// Does one after the other: what follows an activation is said when the activation is on disk.
    pub(super) async fn carry_out(&mut self, effects: Vec<Effect>) {
        let mut left = VecDeque::from(effects);
        while let Some(effect) = left.pop_front() {
            for effect in self.carry_out_one(effect).await.into_iter().rev() {
                left.push_front(effect);
            }
        }
    }

    async fn carry_out_one(&mut self, effect: Effect) -> Vec<Effect> {
        let mut more = Vec::new();
        match effect {
            Effect::Send { to, message } => self.send(&to, &message),
            Effect::SendPiece { to, digest, from, bytes } => {
                let shelf = Arc::clone(&self.shelf);
                match blocking(move || shelf.read(digest, from, bytes)).await {
                    Ok(bytes) => self.send(&to, &Message::Piece { digest, from, bytes }),
                    Err(cause) => {
                        tracing::warn!(?digest, %cause, "an archive cannot be read");
                        self.send(&to, &Message::Missing { digest });
                    }
                }
            }
            Effect::Write { digest, from, bytes } => {
                let shelf = Arc::clone(&self.shelf);
                if let Err(cause) = blocking(move || shelf.write(digest, from, &bytes)).await {
                    let words = format!("the archive cannot be written: {cause}");
                    self.machine.fetched(digest, Err(words), &mut more);
                }
            }
            Effect::Finish { digest } => {
                let shelf = Arc::clone(&self.shelf);
                let finished = blocking(move || shelf.finish(digest)).await;
                self.machine.fetched(digest, finished.map_err(|cause| cause.to_string()), &mut more);
                self.untidy = true;
            }
            Effect::Drop { digest } => {
                let shelf = Arc::clone(&self.shelf);
                if let Err(cause) = blocking(move || shelf.forget(digest)).await {
                    tracing::warn!(?digest, %cause, "a part of an archive stays until the next start");
                }
            }
            Effect::Prepare { path, stamp, archive } => self.prepare(path, stamp, archive),
            Effect::Activate(order) => self.activate(order).await,
            Effect::Discard { path, stamp } => {
                self.prepared.remove(&(path, stamp));
                self.untidy = true;
            }
            Effect::Settled { number, outcome } => self.settled(number, outcome).await,
        }
        more
    }

    fn send(&self, to: &Member, message: &Message) {
        // What is lost is said again, or asked for again.
        if let Err(cause) = self.cluster.send(To::Member(&to.name), TOPIC, message.encode()) {
            tracing::debug!(member = to.name, %cause, "a message of the farm was not sent");
        }
    }

    /// Checks, unpacks and compiles in a task of its own.
    fn prepare(&self, path: String, stamp: Stamp, archive: Archived) {
        let (workshop, shelf, cluster) =
            (self.workshop.clone(), Arc::clone(&self.shelf), self.cluster.clone());
        let (events, is_reserved) = (self.events.clone(), self.reserved.contains(&path));
        tokio::spawn(async move {
            let result = match is_reserved {
                true => Err(format!("{path} is an application of this node's configuration")),
                false => prepare(&workshop, &shelf, &cluster, &path, &archive).await,
            };
            // The driver has ended when nobody hears it.
            let _ = events.send(Event::Prepared { path, stamp, result }).await;
        });
    }

    async fn activate(&mut self, Order { path, stamp, archive, seal: _ }: Order) {
        match archive {
            Some(archive) => {
                let application = self.prepared.remove(&(path.clone(), stamp));
                let mounted = application.ok_or_else(|| "it was not prepared".to_owned());
                match mounted.and_then(|application| mount(&self.cluster, &self.site, &path, &application)) {
                    Ok(()) => {
                        tracing::info!(app = path, archive = %archive.name, digest = ?archive.digest, "deployed")
                    }
                    Err(cause) => tracing::error!(app = path, %cause, "the switch to a new version failed"),
                }
            }
            None => {
                tracing::info!(app = path, "undeployed");
                if let Some(unmounted) = self.site.unmount(&path) {
                    tokio::spawn(retire(self.cluster.clone(), self.site.clone(), path.clone(), unmounted));
                }
            }
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.machine.switched(&path, u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
        self.untidy = true;
        self.save().await;
    }

    pub(super) async fn save(&self) {
        let (shelf, catalog) = (Arc::clone(&self.shelf), self.machine.catalog().clone());
        if let Err(cause) = blocking(move || shelf.save(&catalog)).await {
            tracing::error!(%cause, "what is deployed cannot be kept: after a restart this node has what the members have");
        }
    }
}

/// An archive on the shelf as an application at `path`.
pub(super) async fn prepare(
    workshop: &Workshop,
    shelf: &Shelf,
    cluster: &Cluster,
    path: &str,
    archive: &Archived,
) -> Result<Application, String> {
    let session = cluster.config().session.clone();
    let mounted = App { path: path.to_owned(), ..App::with_session(session) };
    let prepared = workshop.prepare(&shelf.path(archive.digest), &archive.name, &mounted).await;
    let application = prepared.map_err(|error| error.to_string())?;
    // What could not be mounted must be refused before anybody switches.
    application.check(cluster).map_err(|error| error.to_string())?;
    Ok(application)
}

pub(super) fn mount(
    cluster: &Cluster,
    site: &Site,
    path: &str,
    application: &Application,
) -> Result<(), String> {
    let router = application.router(cluster).map_err(|error| error.to_string())?;
    // Requests of the old version end with it; their sessions are those of the new one.
    let _ = site.mount(path, router);
    Ok(())
}

/// Ends the sessions that want to, when the last request of the application is over.
async fn retire(cluster: Cluster, site: Site, path: String, unmounted: Unmounted) {
    let until = Instant::now() + RETIRE_TIME;
    while !unmounted.is_over() && Instant::now() < until {
        sleep(RETIRE_POLL).await;
    }
    // One that was deployed there meanwhile has its sessions.
    if !site.has(&path) {
        cluster.retire_app(&path).await;
    }
}
