//! Who is a member, who may answer requests, who is joining. Never touches a session.
//!
//! The roster decides and gives [`Order`]s; the node carries them out on every shard under the roster's
//! lock. Follow a process from `link_up` through `join.rs` (it asks to be delivered to, gets the state,
//! becomes ready), `heartbeat.rs` (echoes and leases) to `removal.rs` (silence, adoption, stepping out).

mod heartbeat;
mod join;
mod removal;
mod rows;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::shard::SHARDS;
use crate::wire::{self, Phase, Plain, RefusedReason};
use crate::{Candidate, Effect, Effects, Event, Incarnation, Instant, Removal, Settings};

use join::Join;
use removal::Fence;
pub use rows::MemberRow;

/// Barred processes that are remembered.
const BARRED_MAX: usize = 1024;
/// Processes out of sight that are remembered during one join.
const OUT_OF_SIGHT_MAX: usize = 1024;

/// How far this node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeState {
    /// Looking for others.
    Searching,
    /// Getting the state from others.
    Joining,
    /// Serving.
    Ready,
    /// Serving, though the transfer time passed before everything was here.
    Incomplete,
    /// Serving what still comes, about to leave.
    Draining,
    /// Gone from the cluster.
    Left,
    /// May not join: another live process has its name.
    Refused,
}

/// What the shards have to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Add(Incarnation),
    Remove { incarnation: Incarnation, clean: bool },
    RemoveAll,
    Linked { incarnation: Incarnation, linked: bool },
    Resend(Incarnation),
    Compare { with: Incarnation, joining: bool },
    AdvanceClocks,
}

/// A process that this node has a link to, or had when it became a member.
#[derive(Debug)]
struct Peer {
    name: String,
    linked: bool,
    /// When anything last came from it.
    heard_at: Instant,
    phase: Phase,
    /// Its wish to join waits for the process that has its name, since then.
    waits_for_name_since: Option<Instant>,
    membership: Option<Membership>,
}

/// A process in this node's view.
#[derive(Debug)]
struct Membership {
    /// Heartbeats on their way: number and when they were sent.
    sent: VecDeque<(u64, Instant)>,
    /// When the newest heartbeat that it echoed was sent.
    alive_at: Instant,
    /// When the newest heartbeat that it echoed with a grant was sent.
    leased_at: Option<Instant>,
    /// When this node last granted it a lease.
    granted_at: Option<Instant>,
    suspected: bool,
    leaving: Option<Fence>,
}

/// The members and this node's place among them.
#[derive(Debug)]
pub(crate) struct Roster {
    settings: Arc<Settings>,
    pub(crate) state: NodeState,
    /// Holds sessions of an earlier membership: others may lack them, and some of them may have ended.
    has_state: bool,
    peers: BTreeMap<Incarnation, Peer>,
    barred: BTreeSet<Incarnation>,
    /// Processes that were met while this node joins and cannot be reached now, and when they were heard last.
    out_of_sight: BTreeMap<Incarnation, Instant>,
    /// Processes that were removed and have not shown since that they know it.
    overruled: BTreeSet<Incarnation>,
    join: Option<Join>,
    searched: bool,
    /// Shards that have not finished comparing with a member.
    comparing: BTreeMap<Incarnation, usize>,
    /// Members that seemed to be joining when another one was lost, but may have been ready: compared with as soon as they
    /// say that they serve.
    compare_when_ready: BTreeSet<Incarnation>,
    /// The largest view since the start, less those that left cleanly.
    most: u32,
    heartbeats: u64,
    heartbeat_at: Option<Instant>,
    ticked_at: Instant,
    /// When this process went on after it had been stopped.
    resumed_at: Instant,
    /// Some member has not granted a lease since then: it may long have gone on without this process, and others been
    /// replaced. This one must not go on without it.
    doubtful: bool,
    stalls: BTreeMap<Incarnation, Duration>,
    pub(crate) orders: Vec<Order>,
    /// Whether the gate was open, and the state, when the driver was told last.
    announced: (bool, NodeState),
    /// The process because of which this one may not join.
    pub(crate) refused_by: Option<Incarnation>,
    pub(crate) leases_lost: u64,
    pub(crate) transfers_received: u64,
    pub(crate) transfers_interrupted: u64,
}

/// Whether requests may be opened and responses may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Yes.
    Open,
    /// Not now: a member has not confirmed for a lease that it still counts on this node. Either it does
    /// soon, or one of the two is removed; that takes at most the drop time.
    Stalled,
    /// No, and not soon.
    Closed(Closed),
}

/// Why a node does not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// It looks for others or gets the state.
    NotReady,
    /// It has left.
    Left,
    /// It may not join.
    Refused,
}

impl Roster {
    pub(crate) fn new(settings: Arc<Settings>, now: Instant) -> Self {
        Self {
            join: Some(Join::new(now)),
            settings,
            state: NodeState::Searching,
            has_state: false,
            peers: BTreeMap::new(),
            barred: BTreeSet::new(),
            out_of_sight: BTreeMap::new(),
            overruled: BTreeSet::new(),
            searched: false,
            comparing: BTreeMap::new(),
            compare_when_ready: BTreeSet::new(),
            most: 1,
            heartbeats: 0,
            heartbeat_at: None,
            ticked_at: now,
            resumed_at: now,
            doubtful: false,
            stalls: BTreeMap::new(),
            orders: Vec::new(),
            announced: (false, NodeState::Searching),
            refused_by: None,
            leases_lost: 0,
            transfers_received: 0,
            transfers_interrupted: 0,
        }
    }

    /// Ready at once, and for ever alone.
    pub(crate) fn alone(settings: Arc<Settings>, now: Instant) -> Self {
        Self { state: NodeState::Ready, join: None, has_state: true, ..Self::new(settings, now) }
    }

    /// Frames can be sent to this process.
    pub(crate) fn link_up(
        &mut self,
        incarnation: Incarnation,
        name: &str,
        now: Instant,
        effects: &mut Effects,
    ) {
        if incarnation == self.settings.incarnation {
            return;
        }
        if self.barred.contains(&incarnation) {
            send(
                effects,
                incarnation,
                &wire::Refused { reason: RefusedReason::Barred, by: self.settings.incarnation.0 },
            );
        }
        let peer = self.peers.entry(incarnation).or_insert_with(|| Peer::new(name, now));
        peer.linked = true;
        peer.heard_at = now;
        self.out_of_sight.remove(&incarnation);
        if peer.membership.is_some() {
            self.orders.push(Order::Linked { incarnation, linked: true });
        }
        if let Some(join) = &mut self.join {
            join.announce_now();
        }
        self.heartbeat_at = None;
    }

    /// Frames cannot be sent to it any more; what was on the way may be lost.
    pub(crate) fn link_down(&mut self, incarnation: Incarnation) {
        let Some(peer) = self.peers.get_mut(&incarnation) else { return };
        peer.linked = false;
        if peer.membership.is_some() {
            self.orders.push(Order::Linked { incarnation, linked: false });
        } else {
            if self.join.is_some() && self.out_of_sight.len() < OUT_OF_SIGHT_MAX {
                self.out_of_sight.insert(incarnation, peer.heard_at);
            }
            self.peers.remove(&incarnation);
        }
    }

    /// Something came from this process.
    pub(crate) fn heard(&mut self, from: Incarnation, now: Instant) {
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.heard_at = now;
        }
    }

    /// May this node open sessions and let responses go? Rule 4.3.
    pub(crate) fn gate(&self, now: Instant) -> Gate {
        match self.state {
            NodeState::Ready | NodeState::Incomplete | NodeState::Draining => {}
            NodeState::Left => return Gate::Closed(Closed::Left),
            NodeState::Refused => return Gate::Closed(Closed::Refused),
            NodeState::Searching | NodeState::Joining => return Gate::Closed(Closed::NotReady),
        }
        let lease = self.settings.timing.lease();
        // A process without members has no lease to lose; that its tick is overdue tells that it was stopped.
        if self.searched && now.since(self.ticked_at) >= lease && !planted!(self.settings, NO_LEASE) {
            return Gate::Stalled;
        }
        if planted!(self.settings, NO_LEASE) || self.holds_all_leases(now) {
            Gate::Open
        } else {
            Gate::Stalled
        }
    }

    /// No member goes on without this node yet. Rule 4.3.
    fn holds_all_leases(&self, now: Instant) -> bool {
        let lease = self.settings.timing.lease();
        self.members().all(|(_, _, member)| member.leased_at.is_some_and(|at| now.since(at) < lease))
    }

    /// Tells when the gate or the state changed since the last call; counts leases that ran out.
    pub(crate) fn watch_gate(&mut self, now: Instant, effects: &mut Effects) {
        let gate = self.gate(now);
        let (was_open, _) = self.announced;
        let now = (gate == Gate::Open, self.state);
        if now != self.announced {
            self.leases_lost += u64::from(was_open && gate == Gate::Stalled);
            self.announced = now;
            effects.push(Effect::GateMoved);
        }
    }

    pub(crate) fn serves(&self) -> bool {
        self.phase().serves()
    }

    /// Others may get the state from this node.
    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.state, NodeState::Ready | NodeState::Draining)
    }

    /// Members that may end idle sessions.
    pub(crate) fn expirers(&self) -> Vec<Incarnation> {
        let me = self.is_complete().then_some(self.settings.incarnation);
        let ready = |peer: &Peer| matches!(peer.phase, Phase::Ready | Phase::Draining);
        let others = self.members().filter(|(_, peer, _)| ready(peer)).map(|(incarnation, _, _)| incarnation);
        me.into_iter().chain(others).collect()
    }

    /// The other members, as a ack_set sees them.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        self.members()
            .map(|(incarnation, peer, _)| Candidate { incarnation, name: peer.name.clone() })
            .collect()
    }

    /// Copies that a commit wants. Rule 2.18.
    pub(crate) fn wanted(&self) -> u32 {
        self.most
    }

    /// Each shard has an answer to a comparison that was ordered.
    pub(crate) fn compared(&mut self, with: Incarnation, sessions: u64, now: Instant, effects: &mut Effects) {
        let Some(left) = self.comparing.get_mut(&with) else { return };
        *left = left.saturating_sub(1);
        if *left == 0 {
            self.comparing.remove(&with);
            self.all_compared(with, sessions, now, effects);
        }
    }

    /// Compares with every member, as after the loss of one, and gives them. Not while this node gets the state, which
    /// is a comparison itself.
    pub(crate) fn compare_again(&mut self) -> Vec<Incarnation> {
        if !matches!(self.state, NodeState::Ready | NodeState::Draining) {
            return Vec::new();
        }
        let members: Vec<Incarnation> = self.staying().collect();
        members.iter().for_each(|member| self.compare(*member, false));
        members
    }

    /// Members with whom a comparison that this node began is not over.
    pub(crate) fn comparing(&self) -> Vec<Incarnation> {
        self.comparing.keys().copied().collect()
    }

    fn compare(&mut self, with: Incarnation, joining: bool) {
        self.comparing.insert(with, SHARDS);
        self.orders.push(Order::Compare { with, joining });
    }

    fn phase(&self) -> Phase {
        match self.state {
            NodeState::Ready => Phase::Ready,
            NodeState::Incomplete => Phase::Incomplete,
            NodeState::Draining => Phase::Draining,
            _ if self.has_state => Phase::Returning,
            _ => Phase::Starting,
        }
    }

    fn members(&self) -> impl Iterator<Item = (Incarnation, &Peer, &Membership)> {
        self.peers
            .iter()
            .filter_map(|(incarnation, peer)| Some((*incarnation, peer, peer.membership.as_ref()?)))
    }

    fn member(&mut self, incarnation: Incarnation) -> Option<&mut Membership> {
        self.peers.get_mut(&incarnation)?.membership.as_mut()
    }

    fn is_staying(&self, incarnation: Incarnation) -> bool {
        let membership = self.peers.get(&incarnation).and_then(|peer| peer.membership.as_ref());
        membership.is_some_and(|member| member.leaving.is_none())
    }

    /// Members that nobody is about to remove.
    fn staying(&self) -> impl Iterator<Item = Incarnation> {
        self.members()
            .filter(|(_, _, member)| member.leaving.is_none())
            .map(|(incarnation, _, _)| incarnation)
    }

    /// Size and least incarnation of this node's side: the larger side stays, then the one with the least incarnation.
    fn side(&self) -> (u32, Incarnation) {
        let least = self
            .staying()
            .min()
            .map_or(self.settings.incarnation, |incarnation| incarnation.min(self.settings.incarnation));
        (u32::try_from(self.staying().count()).unwrap_or(u32::MAX).saturating_add(1), least)
    }

    /// The side as far as it still counts on this node: one that was stopped may list members that have
    /// long gone on without it, or are gone. Rule 4.14.
    fn live_side(&self, now: Instant) -> (u32, Incarnation) {
        if self.gate(now) == Gate::Open { self.side() } else { (0, self.settings.incarnation) }
    }

    /// Puts a linked process into the view. Rules 4.6 and 5.2.
    fn include(&mut self, incarnation: Incarnation, now: Instant, effects: &mut Effects) {
        // The newcomer cannot give up on a serving member before that one's first lease is over, so it
        // need not stall for the first echo. After a pause the join may be as old as that.
        let is_fresh = !self.doubtful && now.since(self.resumed_at) >= self.settings.timing.lease();
        let leased_at = (self.serves() && is_fresh).then_some(now);
        let Some(peer) = self.peers.get_mut(&incarnation) else { return };
        if peer.membership.is_some() {
            return;
        }
        peer.membership = Some(Membership::new(leased_at, now));
        peer.waits_for_name_since = None;
        self.orders.push(Order::Add(incarnation));
        if !peer.linked {
            self.orders.push(Order::Linked { incarnation, linked: false });
        }
        effects.event(Event::MemberAdded { incarnation, name: peer.name.clone() });
        self.most = self.most.max(self.side().0);
        self.heartbeat_at = None;
    }

    /// Never lets this process in again. Rule 4.18.
    fn bar(&mut self, incarnation: Incarnation, effects: &mut Effects) {
        if self.barred.len() < BARRED_MAX {
            self.barred.insert(incarnation);
        }
        send(
            effects,
            incarnation,
            &wire::Refused { reason: RefusedReason::Barred, by: self.settings.incarnation.0 },
        );
        effects.push(Effect::Forget { incarnation });
    }
}

impl Peer {
    fn new(name: &str, now: Instant) -> Self {
        Self {
            name: name.to_owned(),
            linked: true,
            heard_at: now,
            phase: Phase::Starting,
            waits_for_name_since: None,
            membership: None,
        }
    }
}

impl Membership {
    fn new(leased_at: Option<Instant>, now: Instant) -> Self {
        Self {
            sent: VecDeque::new(),
            alive_at: now,
            leased_at,
            granted_at: None,
            suspected: false,
            leaving: None,
        }
    }
}

/// A control frame for one process.
fn send<T: Plain + minicbor::Encode<()>>(effects: &mut Effects, to: Incarnation, body: &T) {
    // Of these two a newer one follows soon, and says more.
    if [wire::Heartbeat::KIND, wire::Echo::KIND].contains(&T::KIND) {
        let _ = effects.try_send(to, wire::encode(body));
    } else {
        effects.send(to, wire::encode(body));
    }
}

/// How a member's removal is announced to those who ask why.
pub(crate) fn is_clean(cause: Removal) -> bool {
    cause == Removal::Left
}
