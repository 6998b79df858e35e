//! The handle: starts the tasks, sends frames, ends it all.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::{Mutex, RwLock};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::accept::Acceptor;
use crate::channel::{Channel, Stopping};
use crate::config::GroupConfig;
use crate::connection::{self, CONNECTIONS_MAX, WANTED_MAX, Wanted};
use crate::contact::{Contact, Contacts, Room};
use crate::counters::{Counts, Tally};
use crate::dialer::Dialer;
use crate::error::{GroupError, SendError};
use crate::event::Event;
use crate::group_state::GroupState;
use crate::membership::{Beacon, Local, Membership, Sighting};
use crate::outbox::Depth;
use crate::secret::ClusterSecrets;
use crate::strangers::Strangers;
use crate::tls::Trust;

/// Events that wait for the owner; when it is full, new connections wait.
const EVENTS_MAX: usize = 256;
/// Sightings and callers that wait for the dialer.
const HINTS_MAX: usize = 256;
/// How long [`Group::stop`] waits for frames that are still to be written.
const STOP_FLUSH: Duration = Duration::from_secs(2);

/// This node's place in the cluster: knows who is there, and carries frames to them.
///
/// Dropping it ends everything at once; [`stop`](Self::stop) first writes what waits.
#[derive(Debug)]
pub struct Group {
    node: Arc<GroupState>,
    beacon: Arc<Beacon>,
    stopped: watch::Sender<bool>,
    /// Accepting and membership.
    background: Mutex<JoinSet<()>>,
    dialer: Mutex<Option<JoinHandle<JoinSet<Arc<Contact>>>>>,
    wanted_connections: mpsc::Sender<Wanted>,
    connections: Mutex<Option<JoinHandle<()>>>,
}

impl Group {
    /// Begins to look for members, to accept them and to dial them. The queue of events must be read.
    ///
    /// # Errors
    /// A name that cannot travel, a membership that cannot begin, a secret from which no certificate can be
    /// made.
    pub async fn start(
        config: GroupConfig,
        mut membership: Box<dyn Membership>,
    ) -> Result<(Self, mpsc::Receiver<Event>), GroupError> {
        let GroupConfig { identity, secrets, listener, channel } = config;
        identity.check()?;
        let trust = secrets.as_ref().map(|secrets| Trust::new(secrets, &identity)).transpose()?;
        let (events, receiver) = mpsc::channel(EVENTS_MAX);
        let node = Arc::new(GroupState {
            contacts: Contacts::new(Room {
                queue_bytes: channel.queue_bytes,
                connections: channel.connections.min(CONNECTIONS_MAX),
            }),
            counts: Counts::default(),
            strangers: Strangers::default(),
            options: channel,
            identity,
            trust: RwLock::new(trust.map(Arc::new)),
            events,
        });
        let beacon = Arc::new(Beacon::new(node.identity.clone(), secrets.as_ref()));
        membership.begin(Local::new(node.clone(), beacon.clone())).map_err(GroupError::Membership)?;

        let (sightings, sightings_seen) = mpsc::channel(HINTS_MAX);
        let (callers, callers_seen) = mpsc::channel(HINTS_MAX);
        let stopped = watch::Sender::new(false);
        let mut background = JoinSet::new();
        background.spawn(watch_out(membership, sightings));
        background.spawn(Acceptor::new(node.clone(), callers).run(listener));
        let mut stop = stopped.subscribe();
        let stopping = async move {
            let _ = stop.wait_for(|stopped| *stopped).await;
        };
        let dialer = tokio::spawn(Dialer::new(node.clone()).run(sightings_seen, callers_seen, stopping));
        let (wanted_connections, wanted) = mpsc::channel(WANTED_MAX);
        let connections = tokio::spawn(connection::open_wanted(node.clone(), wanted, stopped.subscribe()));
        let (background, dialer) = (Mutex::new(background), Mutex::new(Some(dialer)));
        let connections = Mutex::new(Some(connections));
        Ok((Self { node, beacon, stopped, background, dialer, wanted_connections, connections }, receiver))
    }

    /// Appends a frame to what waits for the process `to` on one of its connections. Never waits. Frames on
    /// one connection to one process are written in the order of these calls, those on different connections
    /// can overtake each other.
    ///
    /// Connection 0 is always there. A frame for a further connection that does not exist, is not open or is
    /// full goes over connection 0; one that is not open is opened for the frames that follow
    /// ([`ChannelOptions::connections`](crate::ChannelOptions::connections)).
    ///
    /// When the link is lost, what waits is discarded, and so may be what was written: only an answer of the
    /// other side's owner says that a frame arrived. A frame that is sent after a link was lost and before
    /// its [`Event::Down`] was read may go over the next link.
    ///
    /// # Errors
    /// No link, a full queue, or a frame that is too long; the frame was not taken.
    pub fn send(&self, to: u32, connection: usize, frame: Bytes) -> Result<(), SendError> {
        Channel::send(self, to, connection, frame)
    }

    /// How much waits for the process `to`: nothing when it is unknown.
    #[must_use]
    pub fn queued(&self, to: u32) -> Depth {
        self.node.contacts.with(to, |contact| contact.depth()).unwrap_or_default()
    }

    /// All counters now.
    #[must_use]
    pub fn counters(&self) -> Tally {
        self.node.counts.snapshot(self.node.contacts.tallies(), self.node.strangers.all())
    }

    /// From now on this node proves itself with the active one of `secrets` and believes all of them. Links
    /// that are up stay: they were proven when they began. Without secrets at the start (`insecure = true`)
    /// nothing changes.
    ///
    /// # Errors
    /// No certificate can be made from them; everything stays as it was.
    pub fn renew_secrets(&self, secrets: &ClusterSecrets) -> Result<(), GroupError> {
        if self.node.trust().is_none() {
            return Ok(());
        }
        let trust = Trust::new(secrets, &self.node.identity)?;
        *self.node.trust.write() = Some(Arc::new(trust));
        self.beacon.renew(secrets);
        Ok(())
    }

    /// Closes all connections with this process and stops dialing it; no [`Event::Down`] follows. When it is
    /// heard of again, by a sighting or because it connects, it is met anew with [`Event::Up`].
    pub fn forget(&self, incarnation: u32) {
        self.node.contacts.forget(incarnation);
    }

    /// As [`forget`](Self::forget), and for good: its connections are refused from now on.
    pub fn bar(&self, incarnation: u32) {
        self.node.contacts.bar(incarnation);
    }

    /// Accepts and dials nobody any more, writes what waits for at most two seconds, and closes all
    /// connections.
    pub async fn stop(&self) {
        self.background.lock().abort_all();
        let Some(dialer) = self.dialer.lock().take() else { return };
        let Some(connections) = self.connections.lock().take() else { return };
        let aborts = [dialer.abort_handle(), connections.abort_handle()];
        self.stopped.send_replace(true);
        let flush = async {
            let _ = connections.await;
            let Ok(mut links) = dialer.await else { return };
            while links.join_next().await.is_some() {}
        };
        if tokio::time::timeout(STOP_FLUSH, flush).await.is_err() {
            tracing::warn!(
                "stopped with frames unwritten: a member, or the owner of this group, does not read"
            );
        }
        aborts.iter().for_each(tokio::task::AbortHandle::abort);
        self.node.contacts.sever_all();
    }
}

impl Channel for Group {
    fn push(&self, to: u32, connection: usize, frame: Bytes) -> Result<(), SendError> {
        let pushed = self.node.contacts.with(to, |contact| {
            let further = contact.connection(connection).map(|further| further.outbox.push(frame.clone()));
            if let Some(Ok(())) = further { Ok(()) } else { contact.outbox.push(frame) }
        });
        pushed.unwrap_or(Err(SendError::NotConnected(to)))
    }

    fn flush(&self, to: u32, connection: usize) {
        self.node.contacts.with(to, |contact| {
            match contact.connection(connection) {
                Some(further) if further.outbox.is_open() => further.outbox.wake(),
                Some(_) => connection::want(contact, connection, &self.wanted_connections),
                None => {}
            }
            contact.outbox.wake();
        });
    }

    fn renew_secrets(&self, secrets: &ClusterSecrets) -> Result<(), GroupError> {
        Self::renew_secrets(self, secrets)
    }

    fn queued(&self, to: u32) -> Depth {
        Self::queued(self, to)
    }

    fn counters(&self) -> Tally {
        Self::counters(self)
    }

    fn forget(&self, incarnation: u32) {
        Self::forget(self, incarnation);
    }

    fn stop(&self) -> Stopping<'_> {
        Box::pin(Self::stop(self))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(dialer) = self.dialer.get_mut().take() {
            dialer.abort();
        }
        if let Some(connections) = self.connections.get_mut().take() {
            connections.abort();
        }
        self.node.contacts.sever_all();
    }
}

/// Hands on what the membership sees.
async fn watch_out(mut membership: Box<dyn Membership>, sightings: mpsc::Sender<Sighting>) {
    loop {
        let sighting = membership.next().await;
        if sightings.send(sighting).await.is_err() {
            return;
        }
    }
}
