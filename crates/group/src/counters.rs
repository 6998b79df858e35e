//! What a group counts, and the snapshot of it that its owner reads.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::handshake_refusal::HandshakeRefusal;
use crate::identity::Peer;
use crate::outbox::Depth;

/// One number that only rises.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Relaxed);
    }

    pub(crate) fn up(&self) {
        self.add(1);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What went over links, in both directions.
#[derive(Debug, Default)]
pub(crate) struct TrafficCounts {
    pub(crate) frames_out: Count,
    pub(crate) bytes_out: Count,
    pub(crate) writes: Count,
    pub(crate) frames_in: Count,
    pub(crate) bytes_in: Count,
}

impl TrafficCounts {
    pub(crate) fn snapshot(&self) -> Traffic {
        Traffic {
            frames_out: self.frames_out.get(),
            bytes_out: self.bytes_out.get(),
            writes: self.writes.get(),
            frames_in: self.frames_in.get(),
            bytes_in: self.bytes_in.get(),
        }
    }
}

/// What came and went on the membership's datagram socket.
#[derive(Debug, Default)]
pub(crate) struct DatagramCounts {
    pub(crate) sent: Count,
    pub(crate) send_failed: Count,
    pub(crate) heard: Count,
    pub(crate) own: Count,
    pub(crate) foreign: Count,
    pub(crate) forged: Count,
    pub(crate) replayed: Count,
    pub(crate) malformed: Count,
}

/// Everything that is not kept per process.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) traffic: TrafficCounts,
    pub(crate) links_up: Count,
    pub(crate) links_lost: Count,
    pub(crate) connections_opened: Count,
    pub(crate) connections_closed: Count,
    pub(crate) connections_lost: Count,
    pub(crate) connections_failed: Count,
    pub(crate) dials_closed: Count,
    pub(crate) accepted: Count,
    pub(crate) accept_failed: Count,
    pub(crate) sightings_dropped: Count,
    pub(crate) datagrams: DatagramCounts,
    refused: [Count; HandshakeRefusal::ALL.len()],
}

impl Counts {
    pub(crate) fn refused(&self, cause: HandshakeRefusal) {
        let place = HandshakeRefusal::ALL.iter().position(|known| *known == cause);
        self.refused[place.expect("ALL lists every cause")].up();
    }

    pub(crate) fn snapshot(
        &self,
        peers: Vec<PeerTally>,
        strangers: Vec<(SocketAddr, HandshakeRefusal)>,
    ) -> Tally {
        let datagrams = &self.datagrams;
        Tally {
            traffic: self.traffic.snapshot(),
            peers,
            strangers,
            links_up: self.links_up.get(),
            links_lost: self.links_lost.get(),
            connections_opened: self.connections_opened.get(),
            connections_closed: self.connections_closed.get(),
            connections_lost: self.connections_lost.get(),
            connections_failed: self.connections_failed.get(),
            dials_closed: self.dials_closed.get(),
            accepted: self.accepted.get(),
            accept_failed: self.accept_failed.get(),
            sightings_dropped: self.sightings_dropped.get(),
            refused: HandshakeRefusal::ALL.into_iter().zip(self.refused.iter().map(Count::get)).collect(),
            datagrams: Datagrams {
                sent: datagrams.sent.get(),
                send_failed: datagrams.send_failed.get(),
                heard: datagrams.heard.get(),
                own: datagrams.own.get(),
                foreign: datagrams.foreign.get(),
                forged: datagrams.forged.get(),
                replayed: datagrams.replayed.get(),
                malformed: datagrams.malformed.get(),
            },
        }
    }
}

/// Frames and bytes since start, frame lengths included, TLS not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Frames handed to the socket.
    pub frames_out: u64,
    /// Their bytes.
    pub bytes_out: u64,
    /// Writes that carried them: `writes / frames_out` says how well they were coalesced.
    pub writes: u64,
    /// Frames received.
    pub frames_in: u64,
    /// Bytes received.
    pub bytes_in: u64,
}

/// Announcements by datagram since start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Datagrams {
    /// Sent.
    pub sent: u64,
    /// Could not be sent.
    pub send_failed: u64,
    /// Came from other nodes of this cluster, and were believed.
    pub heard: u64,
    /// This node's own, which came back: sending and receiving both work.
    pub own: u64,
    /// Dropped: of another cluster, or of another application on the same group.
    pub foreign: u64,
    /// Dropped: claim to be of this cluster, but the tag is wrong.
    pub forged: u64,
    /// Dropped: heard before.
    pub replayed: u64,
    /// Dropped: of this cluster, but unreadable.
    pub malformed: u64,
}

/// One process: who it is and what went to and came from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerTally {
    /// Which process.
    pub peer: Peer,
    /// What waits for it.
    pub queued: Depth,
    /// Further connections to it that are open.
    pub connections: usize,
    /// What went over its links.
    pub traffic: Traffic,
}

/// All counters at one moment. Each number only rises while the group lives, but for those of `peers`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Over all links.
    pub traffic: Traffic,
    /// The processes known now.
    pub peers: Vec<PeerTally>,
    /// Links to other processes that came up.
    pub links_up: u64,
    /// Links to other processes that were lost.
    pub links_lost: u64,
    /// Further connections that were opened.
    pub connections_opened: u64,
    /// Of these, closed because nothing was sent for
    /// [`connection_idle`](crate::ChannelOptions::connection_idle), or at the end.
    pub connections_closed: u64,
    /// Of these, lost with what they carried.
    pub connections_lost: u64,
    /// Connections that could not be opened; their frames went over connection 0.
    pub connections_failed: u64,
    /// Dials that found the port closed.
    pub dials_closed: u64,
    /// Authenticated connections accepted from other processes.
    pub accepted: u64,
    /// Failures to accept a connection, for instance for want of file descriptors.
    pub accept_failed: u64,
    /// Sightings dropped because too many addresses are known.
    pub sightings_dropped: u64,
    /// Handshakes that came to nothing, either side's, by cause; every cause is listed.
    pub refused: Vec<(HandshakeRefusal, u64)>,
    /// Addresses where somebody answers now who is no member of this cluster, and why; the first 32 of them.
    pub strangers: Vec<(SocketAddr, HandshakeRefusal)>,
    /// The membership's datagrams.
    pub datagrams: Datagrams,
}

impl Tally {
    /// How many handshakes came to nothing for this cause.
    #[must_use]
    pub fn refused_for(&self, cause: HandshakeRefusal) -> u64 {
        self.refused.iter().find(|(known, _)| *known == cause).map_or(0, |(_, count)| *count)
    }
}
