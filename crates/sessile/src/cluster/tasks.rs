//! The tasks of a node: time passes, links come and go, frames arrive.
//!
//! Whatever they notice, they tell the core through its [`Engine`]; they decide nothing.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use parking_lot::Mutex;
use sessile_core::{Boot, PeerInfo};
use sessile_group::{Event, Incoming, Peer, Refusal};
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::engine::Engine;
use super::standpoint::Standpoint;

/// How long the frames that a dead process still sent are read before the core is told that it is gone.
const LAST_FRAMES: Duration = Duration::from_millis(250);

/// The tasks of this process; dropping it ends them.
#[derive(Default)]
pub(crate) struct Tasks(Mutex<JoinSet<()>>);

impl Tasks {
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.lock().spawn(task);
    }

    pub(crate) fn abort(&self) {
        self.0.lock().abort_all();
    }
}

/// Tells the node that time passes, every `period`.
pub(crate) async fn tick(engine: Arc<Engine>, period: Duration) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !engine.fuse.is_blown() {
        ticks.tick().await;
        engine.step(|node, now, effects| node.tick(now, effects));
    }
}

/// Tells the node what the group noticed, and reads the frames of all other processes.
pub(crate) struct Links {
    engine: Arc<Engine>,
    standpoint: Arc<Standpoint>,
    /// Processes that frames can be sent to. What the others say is left unread: they could not be answered.
    linked: watch::Sender<BTreeSet<u32>>,
    readers: JoinSet<()>,
    /// Which process each of them reads.
    reading: HashMap<Id, u32>,
    /// A process that cannot be dialed for so long is read all the same, so that its end is noticed.
    patience: Duration,
}

impl Links {
    pub(crate) fn new(engine: Arc<Engine>, standpoint: Arc<Standpoint>, patience: Duration) -> Self {
        let linked = watch::Sender::new(BTreeSet::new());
        Self { engine, standpoint, linked, readers: JoinSet::new(), reading: HashMap::new(), patience }
    }

    pub(crate) async fn follow(mut self, mut events: mpsc::Receiver<Event>) {
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) => self.noticed(event).await,
                    None => return,
                },
                Some(ended) = self.readers.join_next_with_id() => self.reader_ended(ended),
            }
        }
    }

    async fn noticed(&mut self, event: Event) {
        match event {
            Event::Up(peer) => self.up(peer),
            Event::Down { boot } => {
                self.engine.step(|node, now, effects| node.link_down(Boot(boot), now, effects));
            }
            Event::Gone { boot } => {
                self.read_to_the_end(boot).await;
                self.linked.send_modify(|linked| {
                    linked.remove(&boot);
                });
                self.engine.step(|node, now, effects| node.gone(Boot(boot), now, effects));
            }
            Event::Inbound(inbound) => self.accepted(inbound),
            Event::Searched { reached, silent, strangers } => self.searched(&reached, &silent, strangers),
        }
    }

    /// The search is over. A node that was only met by strangers does not begin a cluster of its own beside
    /// theirs: somebody gave it the wrong secret, or the wrong list.
    fn searched(&self, reached: &[u32], silent: &[SocketAddr], strangers: Vec<(SocketAddr, Refusal)>) {
        if !silent.is_empty() {
            tracing::warn!(?silent, "no answer and no refusal: not waiting for these addresses");
        }
        let foreign = |(_, cause): &(SocketAddr, Refusal)| {
            matches!(cause, Refusal::Untrusted | Refusal::Cluster | Refusal::Version)
        };
        match strangers.into_iter().find(foreign) {
            Some(stranger) if reached.is_empty() => self.engine.strand(stranger),
            _ => self.engine.step(|node, now, effects| node.searched(now, effects)),
        }
    }

    fn up(&mut self, peer: Peer) {
        for warning in self.standpoint.warnings_about(&peer) {
            tracing::warn!(member = peer.name, "{warning}");
        }
        let info = PeerInfo { boot: Boot(peer.boot), name: peer.name };
        self.engine.step(|node, now, effects| node.link_up(&info, now, effects));
        self.linked.send_modify(|linked| {
            linked.insert(peer.boot);
        });
    }

    fn accepted(&mut self, inbound: Box<dyn Incoming>) {
        let boot = inbound.peer().boot;
        let reader = read(Arc::clone(&self.engine), inbound, self.linked.subscribe(), self.patience);
        self.reading.insert(self.readers.spawn(reader).id(), boot);
    }

    /// Waits until everything was read that this process sent before it died: in asynchronous mode some of its
    /// changes may be there and nowhere else.
    async fn read_to_the_end(&mut self, boot: u32) {
        let until_ended = async {
            while self.reading.values().any(|read| *read == boot)
                && let Some(ended) = self.readers.join_next_with_id().await
            {
                self.reader_ended(ended);
            }
        };
        if timeout(LAST_FRAMES, until_ended).await.is_err() {
            tracing::debug!(boot = %Boot(boot), "a connection of a process that is gone is still open");
        }
    }

    fn reader_ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                tracing::error!(%error, "reading frames failed by a fault of this program");
                error.id()
            }
        };
        self.reading.remove(&id);
    }
}

/// Hands in what comes over one connection until it ends.
async fn read(
    engine: Arc<Engine>,
    mut inbound: Box<dyn Incoming>,
    mut linked: watch::Receiver<BTreeSet<u32>>,
    patience: Duration,
) {
    let peer = inbound.peer().clone();
    // What it says to a process that cannot answer would be lost, and repeated only by the next heartbeat.
    let _ = timeout(patience, linked.wait_for(|linked| linked.contains(&peer.boot))).await;
    let mut frames = Vec::new();
    loop {
        engine.listeners.caught_up().await;
        if let Err(end) = inbound.next_batch(&mut frames).await {
            tracing::debug!(member = peer.name, %end, "a connection ended");
            return;
        }
        if let Err(malformed) = engine.receive(&peer, &frames) {
            engine.malformed.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(member = peer.name, %malformed, "a frame cannot be read: closing the connection");
            return;
        }
        frames.clear();
    }
}
