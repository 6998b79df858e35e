//! Which processes are members, which may answer requests, which are joining. Must not know sessions.
//!
//! The roster decides and gives [`ShardCommand`]s; the node carries them out on every shard under the
//! roster's lock. Follow a process from `link_up` through `join.rs` (it asks to be included, gets the state,
//! becomes ready), `heartbeat.rs` (echoes and leases) to `removal.rs` (silence, adoption, stepping out).

mod gate;
mod heartbeat;
mod join;
mod removal;
mod rows;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::key::SHARDS;
use crate::wire::{self, Phase, Plain, RefusedReason};
use crate::{Candidate, Effect, Effects, Event, Incarnation, Instant, Removal, Settings};

pub use gate::{Closed, Gate};
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

/// Orders to the shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShardCommand {
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
    /// Since when its wish to join waits for the process that has its name.
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
    /// This node holds sessions of an earlier membership: others may lack them, and some of them may have
    /// ended.
    has_state: bool,
    /// This node has what the others have: it compared with all of them since it was last out (rule 5.15).
    has_all: bool,
    peers: BTreeMap<Incarnation, Peer>,
    barred: BTreeSet<Incarnation>,
    /// Processes that this node met while it joins and cannot reach now, and when it heard from each last.
    out_of_sight: BTreeMap<Incarnation, Instant>,
    /// Processes that were removed and have not shown since that they know of it (rule 4.13).
    overruled: BTreeSet<Incarnation>,
    join: Option<Join>,
    searched: bool,
    /// Shards that have not finished comparing with a member.
    comparing: BTreeMap<Incarnation, usize>,
    /// Members that seemed to be joining when another one was lost, but may have been ready. This node
    /// compares with each as soon as it says that it serves (rule 6.5).
    compare_when_ready: BTreeSet<Incarnation>,
    /// The size of the largest view since the start, less the members that said goodbye.
    most: u32,
    heartbeats: u64,
    heartbeat_at: Option<Instant>,
    ticked_at: Instant,
    /// When this process went on after it had been stopped.
    resumed_at: Instant,
    /// Some member has granted no lease since this process was stopped. That member may have gone on without
    /// this process, and others may have been replaced, so this process must not go on without it (rule
    /// 4.16).
    doubtful: bool,
    stalls: BTreeMap<Incarnation, Duration>,
    pub(crate) commands: Vec<ShardCommand>,
    /// Whether the gate was open, and the state, when the driver was notified last.
    announced: (bool, NodeState),
    /// The process because of which this one may not join.
    pub(crate) refused_by: Option<Incarnation>,
    pub(crate) leases_lost: u64,
    pub(crate) transfers_received: u64,
    pub(crate) transfers_interrupted: u64,
}

impl Roster {
    pub(crate) fn new(settings: Arc<Settings>, now: Instant) -> Self {
        Self {
            join: Some(Join::new(now)),
            settings,
            state: NodeState::Searching,
            has_state: false,
            has_all: false,
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
            commands: Vec::new(),
            announced: (false, NodeState::Searching),
            refused_by: None,
            leases_lost: 0,
            transfers_received: 0,
            transfers_interrupted: 0,
        }
    }

    /// Ready at once, and for ever alone.
    pub(crate) fn alone(settings: Arc<Settings>, now: Instant) -> Self {
        Self {
            state: NodeState::Ready,
            join: None,
            has_state: true,
            has_all: true,
            ..Self::new(settings, now)
        }
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
            self.commands.push(ShardCommand::Linked { incarnation, linked: true });
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
            self.commands.push(ShardCommand::Linked { incarnation, linked: false });
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

    pub(crate) fn serves(&self) -> bool {
        self.phase().serves()
    }

    /// Others may get the state from this node. Rule 5.15.
    pub(crate) fn is_complete(&self) -> bool {
        let has_all = self.has_all || planted!(self.settings, DRAINING_IS_COMPLETE);
        has_all && matches!(self.state, NodeState::Ready | NodeState::Draining)
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

    /// One more shard has completed its comparison with this member.
    pub(crate) fn compared(&mut self, with: Incarnation, sessions: u64, now: Instant, effects: &mut Effects) {
        let Some(left) = self.comparing.get_mut(&with) else { return };
        *left = left.saturating_sub(1);
        if *left == 0 {
            self.comparing.remove(&with);
            self.all_compared(with, sessions, now, effects);
        }
    }

    /// Compares with every member, as after the loss of one, and gives the members. Not while this node gets
    /// the state, which is a comparison itself.
    pub(crate) fn compare_again(&mut self) -> Vec<Incarnation> {
        if !self.is_complete() {
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
        self.commands.push(ShardCommand::Compare { with, joining });
    }

    fn phase(&self) -> Phase {
        match self.state {
            NodeState::Ready => Phase::Ready,
            // Other members must not take the state from it, whether it drains or not.
            NodeState::Incomplete => Phase::Incomplete,
            NodeState::Draining if !self.is_complete() => Phase::Incomplete,
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

    /// Members that are not about to be removed.
    fn staying(&self) -> impl Iterator<Item = Incarnation> {
        self.members()
            .filter(|(_, _, member)| member.leaving.is_none())
            .map(|(incarnation, _, _)| incarnation)
    }

    /// Size and least incarnation of this node's side: the larger side stays, then the one with the least
    /// incarnation.
    fn side(&self) -> (u32, Incarnation) {
        let least = self
            .staying()
            .min()
            .map_or(self.settings.incarnation, |incarnation| incarnation.min(self.settings.incarnation));
        (u32::try_from(self.staying().count()).unwrap_or(u32::MAX).saturating_add(1), least)
    }

    /// The side as far as it still counts on this node. A node that was stopped may list members that have
    /// gone on without it, or are gone. Rule 4.14.
    fn live_side(&self, now: Instant) -> (u32, Incarnation) {
        if self.gate(now) == Gate::Open { self.side() } else { (0, self.settings.incarnation) }
    }

    /// Puts a linked process into the view. Rules 4.6 and 5.2.
    fn include(&mut self, incarnation: Incarnation, now: Instant, effects: &mut Effects) {
        // A newcomer cannot give up a serving member before that member's first lease is over, so the member
        // need not stall for the first echo. After a pause the join may be as old as a lease.
        let is_fresh = !self.doubtful && now.since(self.resumed_at) >= self.settings.timing.lease();
        let leased_at = (self.serves() && is_fresh).then_some(now);
        let Some(peer) = self.peers.get_mut(&incarnation) else { return };
        if peer.membership.is_some() {
            return;
        }
        peer.membership = Some(Membership::new(leased_at, now));
        peer.waits_for_name_since = None;
        self.commands.push(ShardCommand::Add(incarnation));
        if !peer.linked {
            self.commands.push(ShardCommand::Linked { incarnation, linked: false });
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

/// Whether the member left in order: it lost nothing.
pub(crate) fn is_clean(cause: Removal) -> bool {
    cause == Removal::Left
}
