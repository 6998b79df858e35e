//! `[sender]` and `[receiver]`: how changes travel to the other members, and where theirs arrive.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::HOUR;
use crate::config::HostPort;
use crate::config::form::{Address, Flag, Number, OneOf, Optional, Peer, Size, Time};
use crate::config::keys::{Table, Visitor};

/// `[sender]`: how changes travel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// When a response may go.
    pub mode: Mode,
    /// A member that has not confirmed a change after this long is suspected.
    pub ack_timeout: Duration,
    /// How many bytes may wait for one member; a member that needs more gets whole sessions later instead.
    pub queue_bytes: usize,
}

/// When a response may go, and over which connections changes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// When every member has confirmed; many changes are on the way at once on one connection.
    Pipelined,
    /// At once.
    Async,
}

impl Default for Sender {
    fn default() -> Self {
        Self { mode: Mode::Pipelined, ack_timeout: Duration::from_secs(1), queue_bytes: 64 << 20 }
    }
}

impl Table for Sender {
    const NAME: &'static str = "sender";
    const MEANING: &'static str = "how changes travel";

    fn keys(&mut self, visitor: &mut impl Visitor) {
        let mode = OneOf {
            built: &[("pipelined", Mode::Pipelined), ("async", Mode::Async)],
            later: &["sync", "pooled"],
        };
        let full = OneOf { built: &[("block", ())], later: &["sync", "refuse"] };
        visitor.key("mode", mode, &mut self.mode, "when a response may go: pipelined | async");
        visitor.key(
            "ack_timeout",
            Time(1..=HOUR),
            &mut self.ack_timeout,
            "unconfirmed for this long: suspected",
        );
        visitor.only(
            "pool_size",
            Number::<u32>::within(1..=1024),
            25,
            "connections a member; for mode pooled only",
        );
        visitor.key(
            "queue_bytes",
            Size(1 << 16..=1 << 40),
            &mut self.queue_bytes,
            "what may wait for one member",
        );
        visitor.only("queue_full", full, (), "a full queue: changes go later, as copies");
    }
}

/// `[receiver]`: where the changes of other members arrive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// Where this node listens for the others. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// What the others are told to connect to, where it differs from `listen`.
    pub advertise: Option<HostPort>,
    /// Whether the next free port is taken when this one is not free.
    pub next_free_port: bool,
}

impl Default for Receiver {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 4001)), advertise: None, next_free_port: false }
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
        visitor.later("workers", "a number of receiving threads");
    }
}
