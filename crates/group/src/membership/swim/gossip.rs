//! One node's part in the gossip: foca's state machine, its timers, and what it wants to send. No socket, no
//! clock.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::num::{NonZeroU8, NonZeroUsize};
use std::time::Duration;

use foca::{Config, Foca, NoCustomBroadcast, Notification, PeriodicParams, Runtime, Timer};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use tokio::time::Instant;

use super::codec::{GossipCodec, GossipId};

/// Most nodes known, dead ones included. Beyond that everything is forgotten, and asked for anew.
const NODES_MAX: usize = 1024;
/// Longest content of a datagram: with seal and envelope it stays below an Ethernet frame.
const CONTENT_MAX: NonZeroUsize = NonZeroUsize::new(1280).expect("it is not zero");
/// Nodes that are asked to look after one that does not answer.
const INDIRECT_PROBES: NonZeroUsize = NonZeroUsize::new(3).expect("it is not zero");
/// Nodes that get a piece of gossip at once.
const GOSSIP_TARGETS: NonZeroUsize = NonZeroUsize::new(3).expect("it is not zero");
/// How often one piece of news is passed on.
const TRANSMISSIONS: NonZeroU8 = NonZeroU8::new(10).expect("it is not zero");
/// How long a dead node is remembered, so that late news does not bring it back.
const REMEMBERED: Duration = Duration::from_secs(600);

/// The state of one node's gossip.
pub(super) struct Gossip {
    own: GossipId,
    config: Config,
    foca: Foca<GossipId, GossipCodec, SmallRng, NoCustomBroadcast>,
    rng: SmallRng,
    outcome: Outcome,
    timers: BinaryHeap<Reverse<Due>>,
    scheduled: u64,
}

/// What foca wants done after an input.
#[derive(Default)]
struct Outcome {
    datagrams: Vec<(SocketAddr, Vec<u8>)>,
    timers: Vec<(Duration, Timer<GossipId>)>,
    new_members: VecDeque<SocketAddr>,
}

/// A timer, in the order of time and then of request.
struct Due {
    at: Instant,
    number: u64,
    timer: Timer<GossipId>,
}

impl Gossip {
    pub(super) fn new(address: SocketAddr, incarnation: u32, frequency: Duration, seed: u64) -> Self {
        let own = GossipId { address, incarnation, renewals: 0 };
        let config = config(frequency);
        let mut rng = SmallRng::seed_from_u64(seed);
        let foca = Foca::new(own, config.clone(), SmallRng::from_rng(&mut rng), GossipCodec);
        Self { own, config, foca, rng, outcome: Outcome::default(), timers: BinaryHeap::new(), scheduled: 0 }
    }

    /// Asks a seed who is there, unless it is known to be there.
    pub(super) fn ask_seed(&mut self, address: SocketAddr) {
        let is_known = address == self.own.address || self.members().any(|member| member == address);
        if !is_known {
            let seed = GossipId { address, incarnation: 0, renewals: 0 };
            let done = self.foca.announce(seed, &mut self.outcome);
            self.conclude(done);
        }
    }

    /// Takes the content of a datagram. False: it makes no sense.
    pub(super) fn hear(&mut self, content: &[u8]) -> bool {
        let done = self.foca.handle_data(content, &mut self.outcome);
        let makes_sense = !matches!(
            done,
            Err(foca::Error::MalformedPacket | foca::Error::Decode(_) | foca::Error::DataTooBig)
        );
        self.conclude(done);
        if self.foca.iter_membership_state().len() > NODES_MAX {
            self.forget_all();
        }
        makes_sense
    }

    /// Hands foca every timer that is due at `now`.
    pub(super) fn handle_due(&mut self, now: Instant) {
        while self.timers.peek().is_some_and(|Reverse(due)| due.at <= now) {
            let Some(Reverse(due)) = self.timers.pop() else { return };
            let done = self.foca.handle_timer(due.timer, &mut self.outcome);
            self.conclude(done);
        }
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.timers.peek().map(|Reverse(due)| due.at)
    }

    /// Where the nodes are that are taken for living, without this one.
    pub(super) fn members(&self) -> impl Iterator<Item = SocketAddr> {
        self.foca.iter_members().map(|member| member.id().address)
    }

    pub(super) fn take_new_members(&mut self) -> impl Iterator<Item = SocketAddr> {
        std::mem::take(&mut self.outcome.new_members).into_iter()
    }

    pub(super) fn take_datagrams(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        std::mem::take(&mut self.outcome.datagrams)
    }

    fn conclude(&mut self, done: Result<(), foca::Error>) {
        if let Err(error) = done {
            tracing::debug!(%error, "gossip was not taken");
        }
        for (after, timer) in std::mem::take(&mut self.outcome.timers) {
            self.scheduled += 1;
            self.timers.push(Reverse(Due { at: Instant::now() + after, number: self.scheduled, timer }));
        }
    }

    /// Only a holder of the secret can get here, or anybody where the configuration does without.
    fn forget_all(&mut self) {
        tracing::warn!("gossip named more than {NODES_MAX} nodes: all are forgotten, and asked for anew");
        self.own.renewals = self.own.renewals.wrapping_add(1);
        let rng = SmallRng::from_rng(&mut self.rng);
        self.foca = Foca::new(self.own, self.config.clone(), rng, GossipCodec);
        self.timers.clear();
    }
}

/// The times follow from the time between heartbeats.
fn config(frequency: Duration) -> Config {
    let every =
        |intervals: u32, num_members| Some(PeriodicParams { frequency: frequency * intervals, num_members });
    let one = NonZeroUsize::MIN;
    Config {
        probe_period: frequency * 2,
        probe_rtt: frequency / 2,
        num_indirect_probes: INDIRECT_PROBES,
        max_transmissions: TRANSMISSIONS,
        suspect_to_down_after: frequency * 8,
        remove_down_after: Some(REMEMBERED),
        max_packet_size: CONTENT_MAX,
        notify_down_members: true,
        periodic_announce: every(20, one),
        periodic_announce_to_down_members: every(20, one),
        periodic_gossip: every(1, GOSSIP_TARGETS),
    }
}

impl Runtime<GossipId> for Outcome {
    fn notify(&mut self, notification: Notification<'_, GossipId>) {
        if let Notification::MemberUp(id) | Notification::Rename(_, id) = notification {
            self.new_members.push_back(id.address);
        }
    }

    fn send_to(&mut self, to: GossipId, data: &[u8]) {
        self.datagrams.push((to.address, data.to_vec()));
    }

    fn submit_after(&mut self, event: Timer<GossipId>, after: Duration) {
        self.timers.push((after, event));
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl fmt::Debug for Gossip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gossip").field("own", &self.own).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
