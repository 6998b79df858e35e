//! Tells the state machine what happens and when: the only place of the farm that reads the clock. What it then wants is
//! done in `carrying.rs`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sessile::{Cluster, Gauge, Message as Letter, NoMessage, PartReport};
use tempfile::NamedTempFile;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::archived::{Archived, Digest};
use super::carrying::{TOPIC, mount, prepare};
use super::message::Message;
use super::mounted_by;
use super::protocol::{Effect, Member, Outcome, Protocol, Settings};
use super::seal::Sealer;
use super::shelf::Shelf;
use super::stamp::Stamp;
use super::view::View;
use super::watching::{Sighted, Watching};
use crate::archive::ArchiveName;
use crate::site::{Application, Site, Workshop};

/// How often the state machine is told that time passes.
const TICK: Duration = Duration::from_millis(100);

/// What the driver is told.
pub(crate) enum Event {
    Wish(Wish),
    Prepared { path: String, stamp: Stamp, result: Result<Application, String> },
    Sighted(Sighted),
}

/// What an operator wants.
pub(crate) enum Wish {
    Deploy {
        name: ArchiveName,
        draft: NamedTempFile,
        digest: Digest,
        bytes: u64,
        answer: oneshot::Sender<Outcome>,
    },
    Undeploy {
        path: String,
        answer: oneshot::Sender<Outcome>,
    },
    RollBack {
        path: String,
        answer: oneshot::Sender<Outcome>,
    },
}

/// Who waits for the outcome of a deployment.
pub(super) enum Asker {
    Operator(oneshot::Sender<Outcome>),
    /// The watched directory: what was seen there; `None`: that the archive is gone.
    Directory(Option<(Digest, super::watch::Fingerprint)>),
}

/// The farm of one node, while it runs.
pub(crate) struct Driver {
    pub(super) cluster: Cluster,
    pub(super) site: Site,
    pub(super) workshop: Workshop,
    pub(super) shelf: Arc<Shelf>,
    pub(super) machine: Protocol,
    /// What waits for its activation.
    pub(super) prepared: HashMap<(String, Stamp), Application>,
    askers: BTreeMap<u64, (String, Asker)>,
    numbers: u64,
    pub(super) watching: Watching,
    pub(super) events: mpsc::Sender<Event>,
    shown: watch::Sender<Arc<View>>,
    pub(super) reserved: BTreeSet<String>,
    began: Instant,
    /// Archives may have become useless.
    pub(super) untidy: bool,
    refused: u64,
    deployed: u64,
}

impl Driver {
    /// Mounts what was kept.
    pub(super) async fn start(
        cluster: Cluster,
        site: Site,
        workshop: Workshop,
        shelf: Arc<Shelf>,
        events: mpsc::Sender<Event>,
        shown: watch::Sender<Arc<View>>,
        sealer: Sealer,
    ) -> io::Result<Self> {
        let loading = Arc::clone(&shelf);
        let (mut catalog, archives) = blocking(move || loading.load()).await?;
        let farm = &cluster.config().farm;
        let settings = Settings {
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
        for (path, archive) in kept {
            let kept = if reserved.contains(&path) {
                Err("the configuration mounts another application there".to_owned())
            } else {
                prepare(&workshop, &shelf, &cluster, &path, &archive)
                    .await
                    .and_then(|it| mount(&cluster, &site, &path, &it))
            };
            if let Err(cause) = kept {
                tracing::error!(app = path, %cause, "what was deployed here cannot run any more");
                catalog.apps.remove(&path);
            }
        }
        let me = Member { name: cluster.name().to_owned(), incarnation: own_incarnation(&cluster) };
        let watching = Watching::new(&farm.clone(), events.clone());
        let machine = Protocol::new(me, settings, sealer, catalog, archives);
        Ok(Self {
            cluster,
            site,
            workshop,
            shelf,
            machine,
            prepared: HashMap::new(),
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
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Event>) {
        let mut letters = self.cluster.messages(TOPIC);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                letter = letters.recv() => match letter {
                    Ok(letter) => self.read(letter).await,
                    // What was in them is said again.
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
        let from = Member { name: letter.from, incarnation: letter.incarnation.0 };
        let Some(message) = Message::decode(&letter.content) else {
            tracing::warn!(member = from.name, "a message of the farm cannot be read: another version?");
            return;
        };
        // They come by the thousand and change nothing that is shown.
        let is_bulk = matches!(message, Message::Ask { .. } | Message::Piece { .. });
        let (now, mut effects) = (self.now(), Vec::new());
        self.machine.received(&from, message, now, &mut effects);
        self.carry_out(effects).await;
        if !is_bulk {
            self.show();
        }
    }

    async fn heard(&mut self, event: Event) {
        match event {
            Event::Wish(wish) => self.wished(wish).await,
            Event::Sighted(sighted) => self.sighted(sighted).await,
            Event::Prepared { path, stamp, result } => {
                let result =
                    result.map(|application| drop(self.prepared.insert((path.clone(), stamp), application)));
                let (now, mut effects) = (self.now(), Vec::new());
                self.machine.prepared(&path, stamp, result, now, &mut effects);
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
        self.watching.look_when_due(now, &self.machine, &self.shelf);
        if self.machine.under_way() == 0 && std::mem::take(&mut self.untidy) {
            self.tidy().await;
        }
        self.show();
    }

    /// Who is there now.
    fn look_around(&mut self, effects: &mut Vec<Effect>) {
        let others = self.cluster.members().into_iter().filter(|member| !member.is_self);
        let others =
            others.map(|member| Member { name: member.name, incarnation: member.incarnation.0 }).collect();
        self.machine.members(&others, self.began.elapsed(), effects);
    }

    /// Removes archives that nobody needs.
    async fn tidy(&mut self) {
        let (needed, shelf) = (self.machine.keep_needed(), Arc::clone(&self.shelf));
        if let Err(cause) = blocking(move || shelf.keep(&needed)).await {
            tracing::warn!(%cause, "old archives cannot be removed");
        }
    }

    async fn wished(&mut self, wish: Wish) {
        match wish {
            Wish::Deploy { name, draft, digest, bytes, answer } => {
                let shelf = Arc::clone(&self.shelf);
                match blocking(move || shelf.put(draft, digest)).await {
                    Ok(()) => self.order(Archived { name, digest, bytes }, Asker::Operator(answer)).await,
                    Err(cause) => self.refuse(answer, format!("the archive cannot be kept: {cause}")),
                }
            }
            Wish::Undeploy { path, answer } => match self.machine.catalog().active(&path) {
                Some(_) => self.order_at(&path, None, Asker::Operator(answer)).await,
                None => self.refuse(
                    answer,
                    format!("the farm has nothing at {path}; `sessile apps` lists what it has"),
                ),
            },
            Wish::RollBack { path, answer } => {
                let entry = self.machine.catalog().apps.get(&path);
                match entry.and_then(|entry| entry.previous.clone()) {
                    Some(previous) => self.order(previous, Asker::Operator(answer)).await,
                    None => {
                        self.refuse(answer, format!("there is no earlier archive of {path} to go back to"))
                    }
                }
            }
        }
    }

    fn refuse(&self, answer: oneshot::Sender<Outcome>, reason: String) {
        // Who asked may have gone.
        let _ = answer.send(Outcome::Refused { by: self.cluster.name().to_owned(), reason });
    }

    /// Begins to deploy an archive that is on the shelf.
    pub(super) async fn order(&mut self, archive: Archived, asker: Asker) {
        self.machine.shelved(archive.digest);
        let path = archive.name.path.clone();
        self.order_at(&path, Some(archive), asker).await;
    }

    pub(super) async fn order_at(&mut self, path: &str, archive: Option<Archived>, asker: Asker) {
        self.numbers += 1;
        self.askers.insert(self.numbers, (path.to_owned(), asker));
        let (now, mut effects) = (self.now(), Vec::new());
        self.look_around(&mut effects);
        self.machine.order(self.numbers, path, archive, now, &mut effects);
        self.carry_out(effects).await;
    }

    pub(super) async fn settled(&mut self, number: u64, outcome: Outcome) {
        let Some((path, asker)) = self.askers.remove(&number) else { return };
        match &outcome {
            Outcome::Done { .. } => self.deployed += 1,
            Outcome::Refused { by, reason } => {
                self.refused += 1;
                tracing::error!(app = path, by, reason, "not deployed: the old version goes on");
            }
            Outcome::TimedOut { waiting } => {
                self.refused += 1;
                let waiting = waiting.join(" ");
                tracing::error!(app = path, waiting, "not deployed in time: the old version goes on");
            }
            Outcome::Busy => {}
        }
        // Whoever asks what runs now is told of it.
        self.show();
        match asker {
            // Who asked may have gone.
            Asker::Operator(answer) => drop(answer.send(outcome)),
            Asker::Directory(seen) => self.watched(&path, seen, &outcome).await,
        }
    }

    /// Tells operators, when something has changed.
    fn show(&mut self) {
        let view = Arc::new(View::of(&self.machine, self.cluster.name(), self.now()));
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
                "what members run otherwise, or this node cannot run",
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

fn own_incarnation(cluster: &Cluster) -> u32 {
    cluster.members().into_iter().find(|member| member.is_self).map_or(0, |own| own.incarnation.0)
}

/// Runs what takes as long as a disk.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(work).await.unwrap_or_else(|fault| Err(io::Error::other(fault)))
}
