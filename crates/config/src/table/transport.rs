//! `[sender]` and `[receiver]`: how changes travel to the other members, and where theirs arrive.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::{DAY, HOUR, SECOND};
use crate::HostPort;
use crate::form::{Address, Flag, Number, OneOf, Optional, Peer, Size, Time};
use crate::keys::{Table, Visitor};

/// `[sender]`: how changes travel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// When a response may go.
    pub mode: Mode,
    /// A member that has not confirmed a change after this long is suspected.
    pub ack_timeout: Duration,
    /// Mode `pooled`: how many connections to each member commits may take for themselves, at most
    /// [`POOL_MAX`](Self::POOL_MAX).
    pub pool_size: u16,
    /// Longest wait of a commit for a free connection, or for room in the queue.
    pub max_wait: Duration,
    /// Mode `pooled`: a connection that was idle for this long is closed.
    pub keep_alive: Duration,
    /// How many bytes one member may leave unconfirmed; beyond it it gets whole sessions later instead.
    pub queue_bytes: usize,
    /// Mode `async`: what becomes of a commit when the queue of a member is full.
    pub queue_full: QueueFull,
}

impl Sender {
    /// The largest [`pool_size`](Self::pool_size).
    pub const POOL_MAX: u16 = 256;
}

/// When a response may go, and over which connections changes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// When every member has confirmed; one change at a time is on the way, on one connection.
    Sync,
    /// When every member has confirmed; each change has a connection of its own while it is on the way.
    Pooled,
    /// When every member has confirmed; many changes are on the way at once on one connection.
    Pipelined,
    /// At once.
    Async,
}

/// The effect on a commit when a member's unacknowledged bytes reach the limit. The end of a session and a
/// change of its id always go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueueFull {
    /// It waits for room, at most `max_wait`, and then goes; the member gets the session later, as a copy.
    Block,
    /// It waits for its confirmation, as in the synchronous modes.
    Sync,
    /// It is refused with 503 and `Retry-After`.
    Refuse,
}

impl Default for Sender {
    fn default() -> Self {
        Self {
            mode: Mode::Pipelined,
            ack_timeout: Duration::from_secs(1),
            pool_size: 25,
            max_wait: Duration::from_secs(5),
            keep_alive: Duration::from_secs(60),
            queue_bytes: 64 << 20,
            queue_full: QueueFull::Block,
        }
    }
}

impl Table for Sender {
    const NAME: &'static str = "sender";
    const MEANING: &'static str = "how changes travel";

    fn keys(&mut self, visitor: &mut impl Visitor) {
        let mode = OneOf {
            built: &[
                ("pipelined", Mode::Pipelined),
                ("pooled", Mode::Pooled),
                ("sync", Mode::Sync),
                ("async", Mode::Async),
            ],
            later: &[],
        };
        let policies =
            &[("block", QueueFull::Block), ("sync", QueueFull::Sync), ("refuse", QueueFull::Refuse)];
        let full = OneOf { built: policies, later: &[] };
        visitor.key("mode", mode, &mut self.mode, "pipelined | pooled | sync | async");
        visitor.key(
            "ack_timeout",
            Time(1..=HOUR),
            &mut self.ack_timeout,
            "unconfirmed for this long: suspected",
        );
        visitor.key(
            "pool_size",
            Number::<u16>::within(1..=Self::POOL_MAX),
            &mut self.pool_size,
            "pooled: connections to each member",
        );
        visitor.key(
            "max_wait",
            Time(1..=HOUR),
            &mut self.max_wait,
            "longest wait for a connection or for room",
        );
        visitor.key(
            "keep_alive",
            Time(SECOND..=DAY),
            &mut self.keep_alive,
            "pooled: idle connections are closed then",
        );
        visitor.key(
            "queue_bytes",
            Size(1 << 16..=1 << 40),
            &mut self.queue_bytes,
            "what one member may leave unconfirmed",
        );
        visitor.key("queue_full", full, &mut self.queue_full, "async: block | sync | refuse");
    }
}

/// `[receiver]`: where the changes of other members arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// Where this node listens for the others. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// The address advertised to other members, if it differs from `listen`.
    pub advertise: Option<HostPort>,
    /// Whether the next free port is taken when this one is not free.
    pub next_free_port: bool,
    /// Threads of their own for everything that concerns the other members; `None` works on the threads of
    /// the runtime in which the node was started.
    pub workers: Option<u16>,
}

impl Default for Receiver {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4001)),
            advertise: None,
            next_free_port: false,
            workers: None,
        }
    }
}

impl Table for Receiver {
    const NAME: &'static str = "receiver";
    const MEANING: &'static str = "where the changes of other members arrive";

    fn keys(&mut self, visitor: &mut impl Visitor) {
        visitor.key("listen", Address, &mut self.listen, "where the other members connect to");
        visitor.key("advertise", Optional(Peer), &mut self.advertise, "what they are told, where it differs");
        visitor.key(
            "next_free_port",
            Flag,
            &mut self.next_free_port,
            "take a later port when this one is taken",
        );
        visitor.key(
            "workers",
            Optional(Number::<u16>::within(1..=64)),
            &mut self.workers,
            "threads of their own for replication",
        );
    }
}
