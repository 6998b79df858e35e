//! Where members may be: the seam behind which multicast, a static list, names of a name server, gossip, or a
//! user's own way of finding addresses sits.
//!
//! A membership only ever names addresses. Who is there, whether they live and whether they belong to the
//! cluster is found out by dialing them, so a wrong or hostile sighting costs one attempt and nothing else.

mod beacon;
#[cfg(feature = "dns")]
mod dns;
mod multicast;
mod replay;
mod static_list;
#[cfg(feature = "swim")]
mod swim;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

pub use beacon::Heard;
#[cfg(feature = "dns")]
pub use dns::{Dns, DnsConfig, DnsError};
pub use multicast::{Multicast, MulticastConfig};
pub use static_list::{Static, StaticError};
#[cfg(feature = "swim")]
pub use swim::{Swim, SwimConfig};

pub(crate) use beacon::Beacon;
use beacon::Cause;
use parking_lot::Mutex;

use crate::counters::DatagramCounts;
use crate::group_state::GroupState;
use crate::identity::Identity;
use crate::warning_limit::WarningLimit;

/// What a membership sees. It makes the channel dial, and never changes by itself who is a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sighting {
    /// Something at this address may be a member; repeated while it may, every second or so, because an
    /// address that did not answer is dialed again only when it is sighted again. Attempts are rate limited,
    /// so saying it more often costs nothing; this node's own address is passed over.
    Address(SocketAddr),
    /// The same, and the process there spoke: it announced itself a moment ago. The first search waits longer
    /// for it.
    Announced(SocketAddr),
    /// Every address that can be known at start has been named. Said once; the first search then ends when
    /// all of them answered or refused. Until then the node does not begin a cluster of its own, so a way
    /// that cannot know says it after the time in which others would have been seen.
    AllNamed,
}

/// The future of one sighting.
pub type NextSighting<'a> = Pin<Box<dyn Future<Output = Sighting> + Send + 'a>>;

/// A way to learn at which addresses members may be.
///
/// **What a sighting means**: somebody should try this address, nothing more. Who answers there proves with
/// the cluster's secret that it belongs here, and only links and heartbeats tell who is a member and who is
/// lost. So a sighting that is wrong, stale or forged costs one attempt; one that is missing leaves a node
/// unfound until somebody else dials it, because one direction is enough: who is dialed dials back.
///
/// **Bounds**: at most 1,024 addresses are known at once, and further ones are dropped and counted; 64 are
/// dialed at once. A node that was met and lost is dialed without further sightings.
///
/// **Failure**: a membership that cannot see at the moment waits, and goes on when it can; an empty view
/// removes nobody. It must not panic: a panic ends the sightings, not the links.
///
/// [`conformance::membership`](crate::conformance::membership) tests all of this.
pub trait Membership: Send {
    /// Called once, before the first [`next`](Self::next), with what this node says of itself.
    ///
    /// # Errors
    /// It cannot work here at all; the group does not start. What may mend itself is no error.
    fn begin(&mut self, local: Local) -> io::Result<()>;

    /// Waits for the next sighting. The future is never dropped half-way while the group lives, only with the
    /// membership itself when the group ends: so it may keep its progress in itself, and what it must undo at
    /// the end belongs into `Drop`. A way that announces this node does so in here. It must wait somewhere:
    /// one that is always ready keeps a thread busy.
    fn next(&mut self) -> NextSighting<'_>;
}

/// This node, as its membership sees it.
///
/// A membership that uses datagrams sends [`announcement`](Self::announcement)s and gives what it receives to
/// [`hear`](Self::hear): they are sealed and judged with the cluster's secret.
#[derive(Debug)]
pub struct Local {
    node: Arc<GroupState>,
    beacon: Arc<Beacon>,
    warning_limit: Mutex<WarningLimit>,
}

impl Local {
    pub(crate) fn new(node: Arc<GroupState>, beacon: Arc<Beacon>) -> Self {
        Self { node, beacon, warning_limit: Mutex::default() }
    }

    /// Who this node is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.node.identity
    }

    /// One datagram that announces this node, to be sent once; below 300 bytes.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub fn announcement(&self) -> io::Result<Vec<u8>> {
        self.beacon.announcement()
    }

    /// Judges a datagram that came from the address `from`. Foreign, forged, replayed and malformed ones are
    /// counted, and logged at most once a minute.
    pub fn hear(&self, datagram: &[u8], from: SocketAddr) -> Heard {
        match self.beacon.judge(datagram, from) {
            Ok(heard) => {
                match heard {
                    Heard::Member(_) => self.datagrams().heard.up(),
                    Heard::Own => self.datagrams().own.up(),
                    Heard::Dropped => {}
                }
                heard
            }
            Err(cause) => {
                self.dropped(cause, from);
                Heard::Dropped
            }
        }
    }

    /// Counts a datagram that is not believed, and names it in the log now and then.
    fn dropped(&self, cause: Cause, from: SocketAddr) {
        let counts = self.datagrams();
        match cause {
            Cause::Foreign => counts.foreign.up(),
            Cause::Forged => counts.forged.up(),
            Cause::Replayed => counts.replayed.up(),
            Cause::Malformed => counts.malformed.up(),
        }
        if let Some(times) = self.warning_limit.lock().may_speak() {
            tracing::warn!(
                ?cause,
                %from,
                times,
                "announcements were dropped: another cluster uses this group and port, or a node has another secret"
            );
        }
    }

    /// One datagram of gossip, to be sent once: sealed, and bound to this process and its place in what it
    /// sent.
    #[cfg(feature = "swim")]
    fn seal_gossip(&self, content: &[u8]) -> io::Result<Vec<u8>> {
        self.beacon.gossip(content)
    }

    /// The content of a datagram of gossip that came from `from`; counted as [`hear`](Self::hear) does.
    #[cfg(feature = "swim")]
    fn hear_gossip(&self, datagram: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
        match self.beacon.judge_gossip(datagram) {
            Ok(content) => {
                self.datagrams().heard.up();
                Some(content)
            }
            Err(cause) => {
                self.dropped(cause, from);
                None
            }
        }
    }

    /// Whether some process has proven to be of this cluster.
    pub(crate) fn has_met(&self) -> bool {
        !self.node.contacts.is_empty()
    }

    pub(crate) fn datagrams(&self) -> &DatagramCounts {
        &self.node.counts.datagrams
    }
}
