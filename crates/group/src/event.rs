//! What a group tells its owner.

use std::net::SocketAddr;

use crate::channel::Incoming;
use crate::handshake_refusal::HandshakeRefusal;
use crate::identity::Peer;

/// Something that a [`Channel`](crate::Channel) noticed. For one process the order is: `Up`, `Down`, then
/// either `Gone` or `Up` again.
///
/// The queue of events is bounded and nothing is dropped from it: an owner that stops reading stops new
/// connections, never the frames of those it has.
pub enum Event {
    /// The link to this process is authenticated and takes frames. After [`forget`](crate::Channel::forget)
    /// it may come again without a [`Event::Down`] in between.
    Up(Peer),
    /// The link to this process was lost. What waited to be sent was discarded. It is being dialed again.
    Down {
        /// Which process.
        incarnation: u32,
    },
    /// A further connection to this process was lost, and with it perhaps frames that had been taken. The
    /// link is up, and takes what is sent again.
    FramesLost {
        /// Which process.
        incarnation: u32,
    },
    /// The process is proven gone: after its link closed, dialing its address again was refused, or another
    /// process answered there. Follows [`Event::Down`], at once or later. Frames that it had sent before may
    /// still wait in its [`Incoming`].
    Gone {
        /// Which process.
        incarnation: u32,
    },
    /// An authenticated connection on which a process sends us frames.
    Inbound(Box<dyn Incoming>),
    /// The time for the first search is over, and it goes on, because somebody at these addresses accepts
    /// connections or announces itself and says nothing; sent at most once. [`Event::Searched`] follows when
    /// each of them has answered, refused or vanished.
    Silent {
        /// The addresses.
        addresses: Vec<SocketAddr>,
    },
    /// The first search is over; sent once.
    Searched {
        /// The processes whose links are up.
        reached: Vec<u32>,
        /// Addresses that may hold a member, which neither answered nor refused within the time given.
        silent: Vec<SocketAddr>,
        /// Addresses where somebody answered who is no member of this cluster, and why. With all three lists
        /// empty this node is alone.
        strangers: Vec<(SocketAddr, HandshakeRefusal)>,
    },
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Up(peer) => f.debug_tuple("Up").field(peer).finish(),
            Self::Down { incarnation } => write!(f, "Down({incarnation:08x})"),
            Self::FramesLost { incarnation } => write!(f, "FramesLost({incarnation:08x})"),
            Self::Gone { incarnation } => write!(f, "Gone({incarnation:08x})"),
            Self::Inbound(incoming) => f.debug_tuple("Inbound").field(incoming.peer()).finish(),
            Self::Silent { addresses } => f.debug_tuple("Silent").field(addresses).finish(),
            Self::Searched { reached, silent, strangers } => f
                .debug_struct("Searched")
                .field("reached", reached)
                .field("silent", silent)
                .field("strangers", strangers)
                .finish(),
        }
    }
}
