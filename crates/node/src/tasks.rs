//! The tasks of a node: time passes, links come and go, frames arrive.
//!
//! Whatever they notice, they tell the core through its [`Engine`]; they decide nothing.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use sessile_core::{Incarnation, Malformed, NodeState, PeerInfo, Timing};
use sessile_group::{Event, Incoming, Peer, ReceiveError};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::engine::Engine;
use super::settings_check::SettingsCheck;

/// How long the frames that a dead process still sent are read before the core is told that it is gone.
const LAST_FRAMES: Duration = Duration::from_millis(250);

/// The tasks of this process; dropping it ends them.
#[derive(Default)]
pub(crate) struct Tasks {
    running: Mutex<JoinSet<()>>,
    /// Threads of their own; without them the tasks run where they are spawned.
    threads: Option<Runtime>,
}

impl Tasks {
    /// On `workers` threads of their own, if a number is given.
    pub(crate) fn on(workers: Option<u16>) -> io::Result<Self> {
        let runtime = |workers: u16| {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(workers.into()).thread_name("sessile-receiver").enable_all().build()
        };
        Ok(Self { running: Mutex::default(), threads: workers.map(runtime).transpose()? })
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut running = self.running.lock();
        match &self.threads {
            Some(threads) => running.spawn_on(task, threads.handle()),
            None => running.spawn(task),
        };
    }

    /// Runs `start` where the tasks run: what it spawns and listens on stays there.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        start: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, JoinError> {
        match &self.threads {
            Some(threads) => threads.spawn(start).await,
            None => Ok(start.await),
        }
    }

    pub(crate) fn abort(&self) {
        self.running.lock().abort_all();
    }
}

impl Drop for Tasks {
    /// Does not wait: this may be the last clone of a cluster, dropped inside a runtime.
    fn drop(&mut self) {
        self.running.get_mut().abort_all();
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}

/// Tells the node that time passes, every `period`.
pub(crate) async fn tick(engine: Arc<Engine>, period: Duration) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !engine.poison.is_poisoned() {
        ticks.tick().await;
        engine.step(|node, now, effects| node.tick(now, effects));
    }
}

/// Tells the node what the group noticed, and reads the frames of all other processes.
pub(crate) struct Links {
    engine: Arc<Engine>,
    settings_check: Arc<SettingsCheck>,
    /// Processes that frames can be sent to. What the others say is left unread: they could not be answered.
    linked: watch::Sender<BTreeSet<u32>>,
    readers: JoinSet<()>,
    /// Which process each of them reads.
    reading: HashMap<Id, u32>,
    /// A connection over which not even a heartbeat came for so long carries nothing any more.
    silence: Duration,
    /// A process that cannot be dialed for so long is read all the same, so that its end is noticed.
    patience: Duration,
}

impl Links {
    pub(crate) fn new(engine: Arc<Engine>, settings_check: Arc<SettingsCheck>, timing: &Timing) -> Self {
        Self {
            engine,
            settings_check,
            linked: watch::Sender::new(BTreeSet::new()),
            readers: JoinSet::new(),
            reading: HashMap::new(),
            // Whoever is silent for the drop time is removed; one that was stopped for less keeps its
            // connection.
            silence: timing.drop_time * 2,
            patience: timing.drop_time,
        }
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
            Event::Down { incarnation } => {
                self.engine.step(|node, now, effects| node.link_down(Incarnation(incarnation), now, effects));
            }
            Event::FramesLost { incarnation } => {
                let to = Incarnation(incarnation);
                self.engine.step(|node, now, effects| node.frames_lost(to, now, effects));
            }
            Event::Gone { incarnation } => {
                self.read_to_the_end(incarnation).await;
                self.linked.send_modify(|linked| {
                    linked.remove(&incarnation);
                });
                self.engine.step(|node, now, effects| node.gone(Incarnation(incarnation), now, effects));
            }
            Event::Inbound(inbound) => self.accepted(inbound),
            Event::Silent { addresses } => self.silent(addresses),
            Event::Searched { silent, .. } => self.searched(&silent),
        }
    }

    /// Somebody is there and says nothing: rule 5.16.
    fn silent(&self, addresses: Vec<SocketAddr>) {
        tracing::warn!(
            ?addresses,
            "somebody accepts connections or announces itself there and does not answer: it may hold sessions, so this \
             node waits for it, for a complete member, or for [cluster] state_transfer_timeout"
        );
        *self.engine.silent.lock() = addresses;
        self.engine.step(|node, now, effects| node.search_timed_out(now, effects));
    }

    /// The search is over. Strangers were skipped: nobody outside of the cluster prevents a start (rule
    /// 5.17).
    fn searched(&self, silent: &[SocketAddr]) {
        self.engine.silent.lock().clear();
        if !silent.is_empty() {
            tracing::warn!(?silent, "no connection and no refusal: not waiting for these addresses");
        }
        self.engine.step(|node, now, effects| node.searched(now, effects));
    }

    fn up(&mut self, peer: Peer) {
        for warning in self.settings_check.warnings_about(&peer) {
            tracing::warn!(member = peer.name, "{warning}");
        }
        let is_joining = matches!(self.engine.node.state(), NodeState::Searching | NodeState::Joining);
        if is_joining && let Some(about) = self.settings_check.forbids(&peer) {
            return self.engine.disagree(peer.name, about);
        }
        let info = PeerInfo { incarnation: Incarnation(peer.incarnation), name: peer.name };
        self.engine.step(|node, now, effects| node.link_up(&info, now, effects));
        self.linked.send_modify(|linked| {
            linked.insert(peer.incarnation);
        });
    }

    fn accepted(&mut self, inbound: Box<dyn Incoming>) {
        let incarnation = inbound.peer().incarnation;
        let reader = Reader { engine: Arc::clone(&self.engine), inbound, silence: self.silence };
        let reader = reader.run(self.linked.subscribe(), self.patience);
        self.reading.insert(self.readers.spawn(reader).id(), incarnation);
    }

    /// Waits until everything was read that this process sent before it died: in asynchronous mode some of
    /// its changes may be there and nowhere else.
    async fn read_to_the_end(&mut self, incarnation: u32) {
        let until_ended = async {
            while self.reading.values().any(|read| *read == incarnation)
                && let Some(ended) = self.readers.join_next_with_id().await
            {
                self.reader_ended(ended);
            }
        };
        if timeout(LAST_FRAMES, until_ended).await.is_err() {
            tracing::debug!(incarnation = %Incarnation(incarnation), "a connection of a process that is gone is still open");
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

/// Hands in what comes over one connection.
struct Reader {
    engine: Arc<Engine>,
    inbound: Box<dyn Incoming>,
    silence: Duration,
}

/// What a reader got.
enum Next {
    Frames,
    /// There will be no more.
    End(ReceiveError),
    /// Nothing for too long.
    Silence,
}

impl Reader {
    /// Reads until the connection ends.
    async fn run(mut self, mut linked: watch::Receiver<BTreeSet<u32>>, patience: Duration) {
        let peer = self.inbound.peer().clone();
        // What it says to a process that cannot answer would be lost, and repeated only by the next
        // heartbeat.
        let _ = timeout(patience, linked.wait_for(|linked| linked.contains(&peer.incarnation))).await;
        let mut frames = Vec::new();
        loop {
            self.engine.listeners.caught_up().await;
            let handed_in = match self.next_batch(&mut frames).await {
                Next::Frames => self.engine.receive(&peer, &frames),
                Next::End(end) => {
                    tracing::debug!(member = peer.name, %end, "a connection ended");
                    return;
                }
                Next::Silence => {
                    let silence = self.silence;
                    tracing::warn!(
                        member = peer.name,
                        ?silence,
                        "nothing comes over a connection that is open: closing it"
                    );
                    return;
                }
            };
            if let Err(malformed) = handed_in {
                self.refuse(&malformed);
                return;
            }
            frames.clear();
        }
    }

    /// The next frames, if any come in time. A sender has a heartbeat over connection 0 at least; if it goes
    /// into a connection that somewhere between the two is forgotten, or into the middle of a damaged length,
    /// nobody else would end it.
    async fn next_batch(&mut self, frames: &mut Vec<Bytes>) -> Next {
        let connection = self.inbound.connection();
        let next = self.inbound.next_batch(frames);
        let taken = match connection {
            0 => timeout(self.silence, next).await.map_err(|_| Next::Silence),
            _ => Ok(next.await),
        };
        match taken {
            Ok(Ok(())) => Next::Frames,
            Ok(Err(end)) => Next::End(end),
            Err(nothing) => nothing,
        }
    }

    fn refuse(&self, malformed: &Malformed) {
        self.engine.malformed.fetch_add(1, Ordering::Relaxed);
        let member = &self.inbound.peer().name;
        tracing::warn!(member, %malformed, "a frame cannot be read: closing the connection");
    }
}
