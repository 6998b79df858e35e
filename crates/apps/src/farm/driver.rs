//! Passes events and the time to the state machine: the only place of the farm that reads the clock.
//! `effect_runner.rs` runs the resulting effects.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sessile::Cluster;
use sessile::messages::{Message as Letter, NoMessage};
use sessile::status::{Gauge, PartReport};
use tempfile::NamedTempFile;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::archive_ref::{ArchiveRef, Digest};
use super::archive_store::ArchiveStore;
use super::catalog::CatalogEntry;
use super::deploy_timestamp::DeployTimestamp;
use super::effect_runner::{TOPIC, mount, prepare};
use super::message::Message;
use super::mounted_by;
use super::protocol::{DeployOutcome, Effect, FarmMember, FarmSettings, Protocol};
use super::seal::Sealer;
use super::view::FarmView;
use super::watched_directory::{DirectoryChanges, WatchedDirectory};
use crate::archive::ArchiveName;
use crate::site::{Application, ApplicationBuilder, GrantRow, Granted, Site};

/// Interval of the state machine's ticks.
const TICK: Duration = Duration::from_millis(100);

/// Events of the driver.
pub(crate) enum DriverEvent {
    OperatorRequest(OperatorRequest),
    Prepared { path: String, timestamp: DeployTimestamp, result: Box<Result<Application, String>> },
    DirectoryChanges(DirectoryChanges),
}

/// Requests of operators.
pub(crate) enum OperatorRequest {
    Deploy {
        name: ArchiveName,
        draft: NamedTempFile,
        digest: Digest,
        bytes: u64,
        answer: oneshot::Sender<OperatorAnswer>,
    },
    Undeploy {
        path: String,
        answer: oneshot::Sender<OperatorAnswer>,
    },
    RollBack {
        path: String,
        answer: oneshot::Sender<OperatorAnswer>,
    },
}

/// The answer to a request of an operator.
#[derive(Debug)]
pub(crate) struct OperatorAnswer {
    pub(crate) outcome: DeployOutcome,
    /// What the node grants to the application that runs now.
    pub(crate) grants: Vec<GrantRow>,
}

/// What the application at a path is granted, and the rows beside the version before.
pub(super) struct ActiveGrants {
    pub(super) granted: Granted,
    pub(super) rows: Vec<GrantRow>,
}

/// The party that waits for the outcome of a deployment.
pub(super) enum Requester {
    Operator(oneshot::Sender<OperatorAnswer>),
    /// The watched directory, with the archive seen there; `None` if the archive is gone.
    Directory(Option<(Digest, super::watch::Fingerprint)>),
}

/// The running farm of one node.
pub(crate) struct Driver {
    pub(super) cluster: Cluster,
    pub(super) site: Site,
    pub(super) builder: ApplicationBuilder,
    pub(super) store: Arc<ArchiveStore>,
    pub(super) machine: Protocol,
    /// Prepared applications that wait for their activation.
    pub(super) prepared: HashMap<(String, DeployTimestamp), Application>,
    /// Of the running applications, by path.
    pub(super) grants: BTreeMap<String, ActiveGrants>,
    askers: BTreeMap<u64, (String, Requester)>,
    numbers: u64,
    pub(super) watching: WatchedDirectory,
    pub(super) events: mpsc::Sender<DriverEvent>,
    shown: watch::Sender<Arc<FarmView>>,
    pub(super) reserved: BTreeSet<String>,
    began: Instant,
    /// Some archives may be unneeded.
    pub(super) untidy: bool,
    refused: u64,
    deployed: u64,
}

impl Driver {
    /// Mounts the kept archives.
    pub(super) async fn start(
        cluster: Cluster,
        site: Site,
        builder: ApplicationBuilder,
        store: Arc<ArchiveStore>,
        events: mpsc::Sender<DriverEvent>,
        shown: watch::Sender<Arc<FarmView>>,
        sealer: Sealer,
    ) -> io::Result<Self> {
        let loading = Arc::clone(&store);
        let (mut catalog, archives) = blocking(move || loading.load()).await?;
        let farm = &cluster.config().farm;
        let settings = FarmSettings {
            catch_up: farm.catch_up,
            deploy_time: farm.deploy_time,
            piece_bytes: u32::try_from(farm.piece_bytes).unwrap_or(u32::MAX),
            archive_bytes: farm.max_archive_bytes as u64,
        };
        let reserved = mounted_by(&cluster);
        let kept: Vec<_> = catalog
            .apps
            .iter()
            .filter_map(|(path, entry)| Some((path.clone(), entry.archive.clone()?)))
            .collect();
        let mut grants = BTreeMap::new();
        for (path, archive) in kept {
            let kept = if reserved.contains(&path) {
                Err("the configuration mounts another application there".to_owned())
            } else {
                prepare(&builder, &store, &cluster, &path, &archive)
                    .await
                    .and_then(|it| mount(&cluster, &site, &path, &it).map(|()| it.granted().clone()))
            };
            match kept {
                Ok(granted) => drop(grants.insert(path, ActiveGrants { granted, rows: Vec::new() })),
                Err(cause) => {
                    tracing::error!(app = path, %cause, "a deployed archive cannot run any more");
                    catalog.apps.remove(&path);
                }
            }
        }
        let me = FarmMember { name: cluster.name().to_owned(), incarnation: own_incarnation(&cluster) };
        let watching = WatchedDirectory::new(&farm.clone(), events.clone());
        let machine = Protocol::new(me, settings, sealer, catalog, archives);
        Ok(Self {
            cluster,
            site,
            builder,
            store,
            machine,
            prepared: HashMap::new(),
            grants,
            askers: BTreeMap::new(),
            numbers: 0,
            watching,
            events,
            shown,
            reserved,
            began: Instant::now(),
            untidy: true,
            refused: 0,
            deployed: 0,
        })
    }

    /// Runs until the node leaves.
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<DriverEvent>) {
        let mut letters = self.cluster.messages(TOPIC);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                letter = letters.recv() => match letter {
                    Ok(letter) => self.read(letter).await,
                    // The missed messages are repeated by their senders.
                    Err(NoMessage::Missed(count)) => tracing::warn!(count, "messages of the farm were missed"),
                    Err(NoMessage::Closed) => return,
                },
                Some(event) = inbox.recv() => self.heard(event).await,
                _ = ticks.tick() => self.tick().await,
            }
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    async fn read(&mut self, letter: Letter) {
        let from = FarmMember { name: letter.from, incarnation: letter.incarnation.0 };
        let Some(message) = Message::decode(&letter.content) else {
            tracing::warn!(
                member = from.name,
                "a message of the farm cannot be decoded; does the member run another version?"
            );
            return;
        };
        // These messages are frequent and change nothing in the view.
        let is_bulk = matches!(message, Message::Ask { .. } | Message::Piece { .. });
        let (now, mut effects) = (self.now(), Vec::new());
        self.machine.received(&from, message, now, &mut effects);
        self.carry_out(effects).await;
        if !is_bulk {
            self.show();
        }
    }

    async fn heard(&mut self, event: DriverEvent) {
        match event {
            DriverEvent::OperatorRequest(request) => self.requested(request).await,
            DriverEvent::DirectoryChanges(sighted) => self.sighted(sighted).await,
            DriverEvent::Prepared { path, timestamp, result } => {
                let result = (*result)
                    .map(|application| drop(self.prepared.insert((path.clone(), timestamp), application)));
                let (now, mut effects) = (self.now(), Vec::new());
                self.machine.prepared(&path, timestamp, result, now, &mut effects);
                self.carry_out(effects).await;
            }
        }
        self.show();
    }

    async fn tick(&mut self) {
        let (now, mut effects) = (self.now(), Vec::new());
        self.look_around(&mut effects);
        self.machine.tick(now, &mut effects);
        self.carry_out(effects).await;
        self.watching.look_when_due(now, &self.machine, &self.store);
        if self.machine.under_way() == 0 && std::mem::take(&mut self.untidy) {
            self.tidy().await;
        }
        self.show();
    }

    /// Updates the members.
    fn look_around(&mut self, effects: &mut Vec<Effect>) {
        let others = self.cluster.members().into_iter().filter(|member| !member.is_self);
        let others = others
            .map(|member| FarmMember { name: member.name, incarnation: member.incarnation.0 })
            .collect();
        self.machine.members(&others, self.began.elapsed(), effects);
    }

    /// Removes unneeded archives.
    async fn tidy(&mut self) {
        let (needed, store) = (self.machine.keep_needed(), Arc::clone(&self.store));
        if let Err(cause) = blocking(move || store.keep(&needed)).await {
            tracing::warn!(%cause, "old archives cannot be removed");
        }
    }

    async fn requested(&mut self, request: OperatorRequest) {
        match request {
            OperatorRequest::Deploy { name, draft, digest, bytes, answer } => {
                let store = Arc::clone(&self.store);
                match blocking(move || store.put(draft, digest)).await {
                    Ok(()) => {
                        self.order(ArchiveRef { name, digest, bytes }, Requester::Operator(answer)).await
                    }
                    Err(cause) => self.refuse(answer, format!("the archive cannot be stored: {cause}")),
                }
            }
            OperatorRequest::Undeploy { path, answer } => match self.machine.catalog().active(&path) {
                Some(_) => self.order_at(&path, None, Requester::Operator(answer)).await,
                None => self.refuse(
                    answer,
                    format!("the farm has no application at {path}; `sessile apps` lists all"),
                ),
            },
            OperatorRequest::RollBack { path, answer } => {
                let entry = self.machine.catalog().apps.get(&path).cloned();
                match entry.as_ref().and_then(CatalogEntry::previous_to_restore).cloned() {
                    Some(previous) => self.order(previous, Requester::Operator(answer)).await,
                    None => self.refuse(answer, no_rollback(&path, entry.as_ref())),
                }
            }
        }
    }

    fn refuse(&self, answer: oneshot::Sender<OperatorAnswer>, reason: String) {
        let outcome = DeployOutcome::Refused { by: self.cluster.name().to_owned(), reason };
        // The requester may be gone.
        let _ = answer.send(OperatorAnswer { outcome, grants: Vec::new() });
    }

    /// Begins to deploy an archive in the store.
    pub(super) async fn order(&mut self, archive: ArchiveRef, requester: Requester) {
        self.machine.archive_stored(archive.digest);
        let path = archive.name.path.clone();
        self.order_at(&path, Some(archive), requester).await;
    }

    pub(super) async fn order_at(&mut self, path: &str, archive: Option<ArchiveRef>, requester: Requester) {
        self.numbers += 1;
        self.askers.insert(self.numbers, (path.to_owned(), requester));
        let (now, mut effects) = (self.now(), Vec::new());
        self.look_around(&mut effects);
        self.machine.order(self.numbers, path, archive, now, &mut effects);
        self.carry_out(effects).await;
    }

    pub(super) async fn settled(&mut self, number: u64, outcome: DeployOutcome) {
        let Some((path, requester)) = self.askers.remove(&number) else { return };
        match &outcome {
            DeployOutcome::Done { .. } => self.deployed += 1,
            DeployOutcome::Refused { by, reason } => {
                self.refused += 1;
                tracing::error!(app = path, by, reason, "not deployed: the old version stays");
            }
            DeployOutcome::TimedOut { waiting } => {
                self.refused += 1;
                let waiting = waiting.join(" ");
                tracing::error!(app = path, waiting, "not deployed in time: the old version stays");
            }
            DeployOutcome::Busy => {}
        }
        // Update the view before the requester gets the outcome.
        self.show();
        match requester {
            // The requester may be gone.
            Requester::Operator(answer) => {
                let grants = self.grants.get(&path).map(|active| active.rows.clone()).unwrap_or_default();
                drop(answer.send(OperatorAnswer { outcome, grants }));
            }
            Requester::Directory(seen) => self.watched(&path, seen, &outcome).await,
        }
    }

    /// Publishes the view if it changed.
    pub(super) fn show(&mut self) {
        let view = Arc::new(FarmView::of(&self.machine, self.cluster.name(), self.now()));
        let is_new = self.shown.send_if_modified(|shown| {
            let is_new = *shown != view;
            *shown = Arc::clone(&view);
            is_new
        });
        if !is_new {
            return;
        }
        for warning in &view.warnings {
            tracing::warn!("{warning}");
        }
        let gauge = |name, help, value| Gauge { name, help, value };
        let gauges = vec![
            gauge("farm_apps", "applications that the farm runs on this node", view.apps.len() as u64),
            gauge(
                "farm_under_way",
                "deployments that this node coordinates or prepares",
                view.under_way as u64,
            ),
            gauge(
                "farm_disagreements",
                "differences between members, and applications that cannot run on this node",
                view.warnings.len() as u64,
            ),
            gauge("farm_deployed", "deployments from this node that were done", self.deployed),
            gauge(
                "farm_refused",
                "deployments from this node that were refused or not done in time",
                self.refused,
            ),
        ];
        self.cluster.report("farm", PartReport { warnings: view.warnings.clone(), gauges });
    }
}

/// Why a path cannot be rolled back.
fn no_rollback(path: &str, entry: Option<&CatalogEntry>) -> String {
    match entry {
        Some(CatalogEntry { archive: Some(runs), previous: Some(next), went_back: true, .. }) => format!(
            "{path} went back already, to {} ({:?}); a second rollback would go forward to {} ({:?}): deploy that archive to \
             run it again",
            runs.name, runs.digest, next.name, next.digest
        ),
        _ => format!("there is no previous archive of {path}"),
    }
}

fn own_incarnation(cluster: &Cluster) -> u32 {
    cluster.members().into_iter().find(|member| member.is_self).map_or(0, |own| own.incarnation.0)
}

/// Runs a blocking disk operation.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(work).await.unwrap_or_else(|fault| Err(io::Error::other(fault)))
}
