//! What a group tells its owner.

use std::net::SocketAddr;

use crate::identity::Peer;
use crate::inbound::Inbound;
use crate::refusal::Refusal;

/// Something that happened. For one process the order is: `Up`, `Down`, then either `Gone` or `Up` again.
///
/// The queue of events is bounded and nothing is dropped from it: an owner that stops reading stops new
/// connections, never the frames of those it has.
#[derive(Debug)]
pub enum Event {
    /// The link to this process is authenticated and takes frames. After [`Group::forget`](crate::Group::forget)
    /// it may come again without a [`Event::Down`] in between.
    Up(Peer),
    /// The link to this process was lost. What waited to be sent was discarded. It is being dialed again.
    Down {
        /// Which process.
        boot: u32,
    },
    /// The process is proven gone: after its link closed, dialing its address again was refused, or another process
    /// answered there. Follows [`Event::Down`], at once or later. Frames that it had sent before may still wait in
    /// its [`Inbound`].
    Gone {
        /// Which process.
        boot: u32,
    },
    /// An authenticated connection on which a process sends us frames.
    Inbound(Inbound),
    /// The first search is over; sent once.
    Searched {
        /// The processes whose links are up.
        reached: Vec<u32>,
        /// Addresses that may hold a member, which neither answered nor refused within the time given.
        silent: Vec<SocketAddr>,
        /// Addresses where somebody answered who is no member of this cluster, and why. With all three lists empty
        /// this node is alone.
        strangers: Vec<(SocketAddr, Refusal)>,
    },
}
