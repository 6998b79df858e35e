//! Carrying frames between processes: the seam behind which [`Group`](crate::Group), the
//! [`InProcess`](crate::InProcess) channel, or a user's own transport sits.

use std::pin::Pin;

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::counters::Tally;
use crate::error::{GroupError, ReceiveError, SendError};
use crate::event::Event;
use crate::identity::Peer;
use crate::outbox::Depth;
use crate::secret::ClusterSecrets;

/// The future of [`Channel::stop`].
pub type Stopping<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// The future of [`Incoming::next_batch`].
pub type NextBatch<'a> = Pin<Box<dyn Future<Output = Result<(), ReceiveError>> + Send + 'a>>;

/// A channel that has begun, and the queue in which it tells what it notices. The queue is bounded; a channel
/// waits while it is full and drops nothing from it.
pub type OpenChannel = (Box<dyn Channel>, mpsc::Receiver<Event>);

/// Finds the other processes of the cluster, and carries frames to and from them.
///
/// **What the owner assumes.** A frame may be lost, doubled, late, or overtaken by another one, and a process
/// may be silent for any time: all of that is repaired above. Three things are not:
/// * A frame arrives whole and unchanged, or not at all.
/// * Whoever an [`Incoming`] names as its [`Peer`] did send its frames. What frames hold is not for others,
///   so a channel that leaves this machine authenticates both ends and encrypts; nothing above it does.
/// * [`Event::Gone`] is proof. It means that this process has ended and will never send again; the cluster
///   goes on without it at once. A channel that cannot prove it never says so: silence is judged by the
///   owner.
///
/// **What is told.** For every process that can be sent to, [`Event::Up`]; when it cannot be any more,
/// [`Event::Down`]; for every process that can be heard, one [`Event::Inbound`], and another one after that
/// has ended. [`Event::Searched`] comes exactly once, when everybody who was there at the start has been told
/// or waiting for them makes no sense any more: until then the node does not begin a cluster of its own. A
/// channel that knows that somebody is there who says nothing tells [`Event::Silent`] before, when the time
/// for the search is over.
///
/// **Bounds.** What waits for one process is bounded in bytes, and one that does not read delays no other
/// one.
///
/// [`conformance::channel`](crate::conformance::channel) tests all of this. Dropping a channel ends it at
/// once, as a killed process does.
pub trait Channel: Send + Sync {
    /// Takes a frame for the process `to`. It never waits, and it makes no system call and wakes no task: the
    /// owner calls it while it holds a lock, so that the order of these calls is the order that it wants. The
    /// frame need not leave before [`flush`](Self::flush).
    ///
    /// `connection` is a wish: frames on different connections need not wait for each other, frames on one
    /// leave in the order of these calls. Connection 0 always exists, and one that does not exist is
    /// connection 0.
    ///
    /// # Errors
    /// No way to this process now, a full queue, or a frame above [`FRAME_LIMIT`](crate::FRAME_LIMIT); the
    /// frame was not taken.
    fn push(&self, to: u32, connection: usize, frame: Bytes) -> Result<(), SendError>;

    /// Frames that were pushed for this process on this connection or on connection 0 leave now. Called once
    /// after any number of [`push`](Self::push), without a lock.
    fn flush(&self, to: u32, connection: usize);

    /// Both for one frame.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    fn send(&self, to: u32, connection: usize, frame: Bytes) -> Result<(), SendError> {
        self.push(to, connection, frame)?;
        self.flush(to, connection);
        Ok(())
    }

    /// How much waits for the process `to`: nothing when it is unknown.
    fn queued(&self, to: u32) -> Depth;

    /// What was counted. `peers` lists every process that can be sent to; what does not apply stays zero.
    fn counters(&self) -> Tally;

    /// Ends both directions with this process; no [`Event::Down`] follows. It may be met anew, with
    /// [`Event::Up`].
    fn forget(&self, incarnation: u32);

    /// The cluster's secrets were renewed while this process runs: whoever keeps keys made of them makes them
    /// anew. What is up stays up. A channel with keys of its own, or none, need not do anything.
    ///
    /// # Errors
    /// These secrets cannot be used; everything stays as it was.
    fn renew_secrets(&self, secrets: &ClusterSecrets) -> Result<(), GroupError> {
        let _ = secrets;
        Ok(())
    }

    /// Meets nobody any more, hands over what waits as far as a short time allows, and ends.
    fn stop(&self) -> Stopping<'_>;
}

/// The frames that one process sends to this one.
pub trait Incoming: Send {
    /// Who sends them.
    fn peer(&self) -> &Peer;

    /// Which of the sender's connections this is; frames of different connections can overtake each other.
    fn connection(&self) -> usize {
        0
    }

    /// Waits for frames and appends all that are there to `out`, at least one. May be dropped while it waits
    /// without losing anything.
    ///
    /// # Errors
    /// There will be no more, and why. What was appended before is whole.
    fn next_batch<'a>(&'a mut self, out: &'a mut Vec<Bytes>) -> NextBatch<'a>;
}
