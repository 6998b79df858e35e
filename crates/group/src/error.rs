//! What can go wrong, in words that name the input, the place and the remedy.

use std::io;
use std::net::SocketAddr;

/// Why a group did not start.
#[derive(thiserror::Error)]
pub enum GroupError {
    /// A name has characters or a length that cannot travel.
    #[error(
        "the {what} name {name:?} cannot be used: 1 to 32 characters, letters, digits, '_' and '-' for nodes, printable ASCII for clusters"
    )]
    Name {
        /// "node" or "cluster".
        what: &'static str,
        /// The name as it was given.
        name: String,
    },
    /// The notice of the identity does not fit into a HELLO.
    #[error("the notice of this node has {length} bytes, more than {}", crate::identity::NOTICE_LIMIT)]
    Notice {
        /// Its length in bytes.
        length: usize,
    },
    /// The address for incoming connections could not be bound.
    #[error("cannot listen on {address}: {source}; {}", remedy(source))]
    Listen {
        /// The (first) address that was tried.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// The membership could not begin, for instance because the interface has no multicast.
    #[error("the membership cannot begin: {0}")]
    Membership(#[source] io::Error),
    /// Certificates could not be made from the cluster secret.
    #[error("cannot make certificates from the cluster secret: {0}")]
    Certificate(String),
}

/// As [`Display`](std::fmt::Display): a `main` that returns it shows it so.
impl std::fmt::Debug for GroupError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

fn remedy(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::AddrNotAvailable => "write an address of this machine as `[receiver] listen`",
        _ => "choose another `[receiver] listen`, or set `next_free_port = true`",
    }
}

/// Why a frame was not accepted for sending. Nothing of it was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no link to this process now; an [`Event::Up`](crate::Event::Up) says when there is one.
    #[error("not connected to the process {0:08x}")]
    NotConnected(u32),
    /// The queue to this process holds as many bytes as it may; it does not read fast enough.
    #[error("the queue to the process {to:08x} is full: {bytes} bytes wait (`[sender] queue_bytes`)")]
    QueueFull {
        /// Which process.
        to: u32,
        /// How many bytes wait.
        bytes: usize,
    },
    /// The frame is longer than [`FRAME_LIMIT`](crate::FRAME_LIMIT).
    #[error("a frame of {0} bytes is longer than any node accepts")]
    TooLong(usize),
}

/// Why there are no more frames from an [`Incoming`](crate::Incoming).
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The other side closed it, or its process ended.
    #[error("the connection was closed by the other side")]
    Closed,
    /// This side gave the process up ([`forget`](crate::Channel::forget)) or stopped.
    #[error("the connection was closed by this node")]
    Cut,
    /// A length above [`FRAME_LIMIT`](crate::FRAME_LIMIT): the stream cannot be read on.
    #[error("a frame of {0} bytes was announced, which is more than is ever accepted")]
    TooLong(usize),
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
}
