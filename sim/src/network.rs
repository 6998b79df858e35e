//! Reachability of hosts, links, and delays of frames.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sessile_core::{Incarnation, Instant};

use crate::event::Frame;
use crate::history::HostId;
use crate::plan::NetworkConditions;
use crate::rng::Rng;

/// On ordered links a lost frame is retransmitted after this time, like TCP's fast retransmit.
const REPAIR: Duration = Duration::from_millis(200);

/// Most retransmissions of one frame.
const MAX_REPAIRS: u32 = 8;

/// The links and cuts between the hosts.
pub(crate) struct Network {
    conditions: NetworkConditions,
    rng: Rng,
    cuts: BTreeMap<u32, Vec<(HostId, HostId)>>,
    newest_cut: u32,
    chokes: BTreeSet<(HostId, HostId)>,
    /// How many frames of 1,000 find no room in the queue from one host to another.
    full: BTreeMap<(HostId, HostId), u32>,
    links: BTreeMap<(Incarnation, Incarnation), Link>,
    next: u64,
    stalled: Vec<Frame>,
}

struct Link {
    id: u64,
    last_arrival: Instant,
}

impl Network {
    /// A network without links.
    pub(crate) fn new(conditions: NetworkConditions, rng: Rng) -> Self {
        Self {
            conditions,
            rng,
            cuts: BTreeMap::new(),
            newest_cut: 0,
            chokes: BTreeSet::new(),
            full: BTreeMap::new(),
            links: BTreeMap::new(),
            next: 0,
            stalled: Vec::new(),
        }
    }

    /// The conditions of the run.
    pub(crate) fn conditions(&self) -> &NetworkConditions {
        &self.conditions
    }

    /// Whether a frame can reach one host from another.
    pub(crate) fn reaches(&self, from: HostId, to: HostId) -> bool {
        !self.cuts.values().flatten().any(|cut| *cut == (from, to))
    }

    /// Whether two hosts can make a connection.
    pub(crate) fn connects(&self, one: HostId, other: HostId) -> bool {
        self.reaches(one, other) && self.reaches(other, one)
    }

    /// Whether anything is cut or choked.
    pub(crate) fn is_cut(&self) -> bool {
        !self.cuts.is_empty() || !self.chokes.is_empty()
    }

    /// Blocks changes from one host to another.
    pub(crate) fn choke(&mut self, from: HostId, to: HostId) {
        self.chokes.insert((from, to));
    }

    /// Changes get through again.
    pub(crate) fn unchoke(&mut self, from: HostId, to: HostId) {
        self.chokes.remove(&(from, to));
    }

    /// Whether changes from one host to another are lost.
    pub(crate) fn is_choked(&self, from: HostId, to: HostId) -> bool {
        self.chokes.contains(&(from, to))
    }

    /// From now on so many frames of 1,000 find no room in the queue from one host to another.
    pub(crate) fn fill(&mut self, from: HostId, to: HostId, share: u32) {
        self.full.insert((from, to), share);
    }

    /// The queue has room again.
    pub(crate) fn drain(&mut self, from: HostId, to: HostId) {
        self.full.remove(&(from, to));
    }

    /// Of 1,000 frames between two hosts, so many find no room in the queue of the fuller direction.
    pub(crate) fn fullness(&self, one: HostId, two: HostId) -> u32 {
        let share = |pair| self.full.get(&pair).copied().unwrap_or(0);
        share((one, two)).max(share((two, one)))
    }

    /// Whether the queue from one host to another takes a frame now.
    pub(crate) fn has_room(&mut self, from: HostId, to: HostId) -> bool {
        !self.full.get(&(from, to)).is_some_and(|share| self.rng.chance(*share))
    }

    /// Cuts the given ways; the number names the cut.
    pub(crate) fn cut(&mut self, ways: Vec<(HostId, HostId)>) -> u32 {
        self.newest_cut += 1;
        self.cuts.insert(self.newest_cut, ways);
        self.newest_cut
    }

    /// The number of the cut that was made last.
    pub(crate) fn newest_cut(&self) -> u32 {
        self.newest_cut
    }

    /// Heals a cut. Frames that waited on ordered links must be sent on with [`Network::release`].
    pub(crate) fn heal(&mut self, cut: u32) {
        self.cuts.remove(&cut);
    }

    /// Heals every cut, and stops loss and duplication.
    pub(crate) fn heal_all(&mut self) {
        self.cuts.clear();
        self.chokes.clear();
        self.full.clear();
        (self.conditions.loss, self.conditions.doubled) = (0, 0);
    }

    /// Makes a link if there is none; frames can be sent over it.
    pub(crate) fn link(&mut self, from: Incarnation, to: Incarnation) {
        self.next += 1;
        let link = Link { id: self.next, last_arrival: Instant::ORIGIN };
        self.links.entry((from, to)).or_insert(link);
    }

    /// Whether there is a link.
    pub(crate) fn is_linked(&self, from: Incarnation, to: Incarnation) -> bool {
        self.links.contains_key(&(from, to))
    }

    /// Breaks a link; false if there is none. Frames on their way may still arrive.
    pub(crate) fn unlink(&mut self, from: Incarnation, to: Incarnation) -> bool {
        self.links.remove(&(from, to)).is_some()
    }

    /// Breaks the links of a process that ended.
    pub(crate) fn forget(&mut self, incarnation: Incarnation) {
        self.links.retain(|(from, _), _| *from != incarnation);
        self.stalled.retain(|frame| frame.to != incarnation);
    }

    /// The processes that have a link to `incarnation`.
    pub(crate) fn linked_to(&self, incarnation: Incarnation) -> Vec<Incarnation> {
        self.links.keys().filter(|(_, to)| *to == incarnation).map(|(from, _)| *from).collect()
    }

    /// A delay between two hosts.
    pub(crate) fn delay(&mut self, from: HostId, to: HostId) -> Duration {
        let (shortest, longest) = self.conditions.delay;
        let slow = match self.conditions.slow {
            Some((host, more)) if host == from || host == to => more,
            _ => Duration::ZERO,
        };
        slow + self.rng.duration(shortest, longest)
    }

    /// The link that carries a frame now; `None` loses it.
    pub(crate) fn carrier(&self, from: Incarnation, to: Incarnation) -> Option<u64> {
        self.links.get(&(from, to)).map(|link| link.id)
    }

    /// When the copies of a frame that is sent now arrive: none if it is lost, two if it is doubled.
    pub(crate) fn arrivals(
        &mut self,
        now: Instant,
        from: (Incarnation, HostId),
        to: (Incarnation, HostId),
    ) -> Vec<Instant> {
        let mut arrival = now.plus(self.delay(from.1, to.1));
        if self.conditions.ordered {
            let mut repairs = 0;
            while repairs < MAX_REPAIRS && self.rng.chance(self.conditions.loss) {
                arrival = arrival.plus(REPAIR);
                repairs += 1;
            }
            let Some(link) = self.links.get_mut(&(from.0, to.0)) else { return Vec::new() };
            link.last_arrival = link.last_arrival.max(arrival);
            return vec![link.last_arrival];
        }
        let mut arrivals = Vec::new();
        if !self.rng.chance(self.conditions.loss) {
            arrivals.push(arrival);
        }
        if self.rng.chance(self.conditions.doubled) {
            arrivals.push(now.plus(self.delay(from.1, to.1) * 3));
        }
        arrivals
    }

    /// A frame met a cut: it waits there on an ordered link, and is lost on another.
    pub(crate) fn stall(&mut self, frame: Frame) {
        if self.conditions.ordered && self.carrier(frame.from, frame.to) == Some(frame.link) {
            self.stalled.push(frame);
        }
    }

    /// Whether frames of this link wait at a cut: later ones queue up behind them.
    pub(crate) fn is_stalled(&self, from: Incarnation, to: Incarnation) -> bool {
        self.stalled.iter().any(|frame| (frame.from, frame.to) == (from, to))
    }

    /// Takes the waiting frames, in order, for another attempt.
    pub(crate) fn release(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.stalled)
    }
}
