//! Runs the effects of the state machine, in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sessile::Cluster;
use sessile::config::App;
use sessile::messages::To;
use tokio::time::sleep;

use super::archive_ref::ArchiveRef;
use super::archive_store::ArchiveStore;
use super::deploy_timestamp::DeployTimestamp;
use super::driver::{ActiveGrants, Driver, DriverEvent, blocking};
use super::message::{DeployOrder, Message};
use super::protocol::{Effect, FarmMember};
use crate::site::{Application, ApplicationBuilder, Site, Unmounted};

/// Topic of the farm's messages.
pub(super) const TOPIC: &str = "sessile farm 1";
/// Poll interval for the last request of a removed application.
const RETIRE_POLL: Duration = Duration::from_millis(100);
/// Longest wait for that.
const RETIRE_TIME: Duration = Duration::from_secs(60);

impl Driver {
    /// Runs effects in order: messages after an activation are sent when the activation is on disk.
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
                let store = Arc::clone(&self.store);
                match blocking(move || store.read(digest, from, bytes)).await {
                    Ok(bytes) => self.send(&to, &Message::Piece { digest, from, bytes }),
                    Err(cause) => {
                        tracing::warn!(?digest, %cause, "an archive cannot be read");
                        self.send(&to, &Message::Missing { digest });
                    }
                }
            }
            Effect::Write { digest, from, bytes } => {
                let store = Arc::clone(&self.store);
                if let Err(cause) = blocking(move || store.write(digest, from, &bytes)).await {
                    let words = format!("the archive cannot be written: {cause}");
                    self.machine.fetched(digest, Err(words), &mut more);
                }
            }
            Effect::Finish { digest } => {
                let store = Arc::clone(&self.store);
                let finished = blocking(move || store.finish(digest)).await;
                self.machine.fetched(digest, finished.map_err(|cause| cause.to_string()), &mut more);
                self.untidy = true;
            }
            Effect::Drop { digest } => {
                let store = Arc::clone(&self.store);
                if let Err(cause) = blocking(move || store.forget(digest)).await {
                    tracing::warn!(?digest, %cause, "part of an archive stays on disk until the next start");
                }
            }
            Effect::Prepare { path, timestamp, archive } => self.prepare(path, timestamp, archive),
            Effect::Activate(order) => {
                self.activate(order).await;
                // Before any member hears of the switch.
                self.show();
            }
            Effect::Discard { path, timestamp } => {
                self.prepared.remove(&(path, timestamp));
                self.untidy = true;
            }
            Effect::Settled { number, outcome } => self.settled(number, outcome).await,
        }
        more
    }

    fn send(&self, to: &FarmMember, message: &Message) {
        // A lost message is repeated by its sender or requested again.
        if let Err(cause) = self.cluster.send(To::Member(&to.name), TOPIC, message.encode()) {
            tracing::debug!(member = to.name, %cause, "a message of the farm was not sent");
        }
    }

    /// Checks, unpacks and compiles in a separate task.
    fn prepare(&self, path: String, timestamp: DeployTimestamp, archive: ArchiveRef) {
        let (builder, store, cluster) = (self.builder.clone(), Arc::clone(&self.store), self.cluster.clone());
        let (events, is_reserved) = (self.events.clone(), self.reserved.contains(&path));
        tokio::spawn(async move {
            let result = match is_reserved {
                true => Err(format!("{path} is an application of this node's configuration")),
                false => prepare(&builder, &store, &cluster, &path, &archive).await,
            };
            // If the channel is closed, the driver has ended.
            let _ = events.send(DriverEvent::Prepared { path, timestamp, result: Box::new(result) }).await;
        });
    }

    async fn activate(&mut self, DeployOrder { path, timestamp, archive, seal: _ }: DeployOrder) {
        match archive {
            Some(archive) => {
                let application = self.prepared.remove(&(path.clone(), timestamp));
                let mounted = application.ok_or_else(|| "it was not prepared".to_owned()).and_then(|it| {
                    mount(&self.cluster, &self.site, &path, &it).map(|()| it.granted().clone())
                });
                match mounted {
                    Ok(granted) => {
                        tracing::info!(app = path, archive = %archive.name, digest = ?archive.digest, "deployed");
                        let rows = granted.beside(self.grants.get(&path).map(|before| &before.granted));
                        self.grants.insert(path.clone(), ActiveGrants { granted, rows });
                    }
                    Err(cause) => tracing::error!(app = path, %cause, "the switch to a new version failed"),
                }
            }
            None => {
                tracing::info!(app = path, "undeployed");
                self.grants.remove(&path);
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
        let (store, catalog) = (Arc::clone(&self.store), self.machine.catalog().clone());
        if let Err(cause) = blocking(move || store.save(&catalog)).await {
            tracing::error!(%cause, "the catalog cannot be saved: after a restart this node takes the members' applications");
        }
    }
}

/// An archive from the store as an application at `path`.
pub(super) async fn prepare(
    builder: &ApplicationBuilder,
    store: &ArchiveStore,
    cluster: &Cluster,
    path: &str,
    archive: &ArchiveRef,
) -> Result<Application, String> {
    let session = cluster.config().session.clone();
    let mounted = App { path: path.to_owned(), ..App::with_session(session) };
    let prepared = builder.prepare(&store.path(archive.digest), &archive.name, &mounted).await;
    let application = prepared.map_err(|error| error.to_string())?;
    // An unmountable application must be refused before any node switches.
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
    // Running requests finish with the old version; both versions share the sessions.
    let _ = site.mount(path, router);
    Ok(())
}

/// Ends the sessions with `expire_on_stop`, when the last request of the application is over.
async fn retire(cluster: Cluster, site: Site, path: String, unmounted: Unmounted) {
    let until = Instant::now() + RETIRE_TIME;
    while !unmounted.is_over() && Instant::now() < until {
        sleep(RETIRE_POLL).await;
    }
    // An application deployed there meanwhile owns the sessions.
    if !site.has(&path) {
        cluster.retire_app(&path).await;
    }
}
