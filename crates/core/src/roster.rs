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
use crate::{Boot, Candidate, Effect, Event, Instant, Plant, Removal, Settings};

use join::Join;
use removal::Fence;
pub use rows::MemberRow;

/// Barred processes that are remembered.
const BARRED_MAX: usize = 1024;
/// Processes out of sight that are remembered during one join.
const OUT_OF_SIGHT_MAX: usize = 1024;

/// How far this node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
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
    Add(Boot),
    Remove { boot: Boot, clean: bool },
    RemoveAll,
    Linked { boot: Boot, linked: bool },
    Resend(Boot),
    Compare { with: Boot, joining: bool },
    MemberReady(Boot),
    TakeLead,
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
    pub(crate) standing: Standing,
    /// Holds sessions of an earlier membership: others may lack them, and some of them may have ended.
    has_state: bool,
    peers: BTreeMap<Boot, Peer>,
    barred: BTreeSet<Boot>,
    /// Processes that were met while this node joins and cannot be reached now, and when they were heard last.
    out_of_sight: BTreeMap<Boot, Instant>,
    /// Processes that were removed and have not shown since that they know it.
    overruled: BTreeSet<Boot>,
    join: Option<Join>,
    searched: bool,
    /// Shards that have not finished comparing with a member.
    comparing: BTreeMap<Boot, usize>,
    /// Members that seemed to be joining when another one was lost, but may have been ready: compared with as soon as they
    /// say that they serve.
    compare_when_ready: BTreeSet<Boot>,
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
    stalls: BTreeMap<Boot, Duration>,
    pub(crate) orders: Vec<Order>,
    was_open: bool,
    pub(crate) leases_lost: u64,
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
            standing: Standing::Searching,
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
            was_open: false,
            leases_lost: 0,
            transfers_interrupted: 0,
        }
    }

    /// Ready at once, and for ever alone.
    pub(crate) fn alone(settings: Arc<Settings>, now: Instant) -> Self {
        Self { standing: Standing::Ready, join: None, has_state: true, ..Self::new(settings, now) }
    }

    /// Frames can be sent to this process.
    pub(crate) fn link_up(&mut self, boot: Boot, name: &str, now: Instant, fx: &mut Vec<Effect>) {
        if boot == self.settings.boot {
            return;
        }
        if self.barred.contains(&boot) {
            send(fx, boot, &wire::Refused { reason: RefusedReason::Barred, by: self.settings.boot.0 });
        }
        let peer = self.peers.entry(boot).or_insert_with(|| Peer::new(name, now));
        peer.linked = true;
        peer.heard_at = now;
        self.out_of_sight.remove(&boot);
        if peer.membership.is_some() {
            self.orders.push(Order::Linked { boot, linked: true });
        }
        if let Some(join) = &mut self.join {
            join.announce_now();
        }
        self.heartbeat_at = None;
    }

    /// Frames cannot be sent to it any more; what was on the way may be lost.
    pub(crate) fn link_down(&mut self, boot: Boot) {
        let Some(peer) = self.peers.get_mut(&boot) else { return };
        peer.linked = false;
        if peer.membership.is_some() {
            self.orders.push(Order::Linked { boot, linked: false });
        } else {
            if self.join.is_some() && self.out_of_sight.len() < OUT_OF_SIGHT_MAX {
                self.out_of_sight.insert(boot, peer.heard_at);
            }
            self.peers.remove(&boot);
        }
    }

    /// Something came from this process.
    pub(crate) fn heard(&mut self, from: Boot, now: Instant) {
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.heard_at = now;
        }
    }

    /// May this node open sessions and let responses go?
    pub(crate) fn gate(&self, now: Instant) -> Gate {
        match self.standing {
            Standing::Ready | Standing::Incomplete | Standing::Draining => {}
            Standing::Left => return Gate::Closed(Closed::Left),
            Standing::Refused => return Gate::Closed(Closed::Refused),
            Standing::Searching | Standing::Joining => return Gate::Closed(Closed::NotReady),
        }
        let lease = self.settings.timing.lease();
        // A process without members has no lease to lose; that its tick is overdue tells that it was stopped.
        if self.searched && now.since(self.ticked_at) >= lease && self.settings.plant != Plant::NoLease {
            return Gate::Stalled;
        }
        if self.settings.plant == Plant::NoLease || self.holds_all_leases(now) {
            Gate::Open
        } else {
            Gate::Stalled
        }
    }

    /// No member goes on without this node yet.
    fn holds_all_leases(&self, now: Instant) -> bool {
        let lease = self.settings.timing.lease();
        self.members().all(|(_, _, member)| member.leased_at.is_some_and(|at| now.since(at) < lease))
    }

    /// Tells when the gate moved since the last call; counts leases that ran out.
    pub(crate) fn watch_gate(&mut self, now: Instant, fx: &mut Vec<Effect>) {
        let gate = self.gate(now);
        let open = gate == Gate::Open;
        if open != self.was_open {
            self.leases_lost += u64::from(gate == Gate::Stalled);
            self.was_open = open;
            fx.push(Effect::GateMoved);
        }
    }

    pub(crate) fn serves(&self) -> bool {
        self.phase().serves()
    }

    /// Others may get the state from this node.
    pub(crate) fn donates(&self) -> bool {
        matches!(self.standing, Standing::Ready | Standing::Draining)
    }

    /// Members that may end idle sessions.
    pub(crate) fn expirers(&self) -> Vec<Boot> {
        let me = self.donates().then_some(self.settings.boot);
        let ready = |peer: &Peer| matches!(peer.phase, Phase::Ready | Phase::Draining);
        let others = self.members().filter(|(_, peer, _)| ready(peer)).map(|(boot, _, _)| boot);
        me.into_iter().chain(others).collect()
    }

    /// The other members, as a placement sees them.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        self.members().map(|(boot, peer, _)| Candidate { boot, name: peer.name.clone() }).collect()
    }

    /// Copies that a commit wants.
    pub(crate) fn wanted(&self) -> u32 {
        self.most
    }

    /// Each shard has an answer to a comparison that was ordered.
    pub(crate) fn compared(&mut self, with: Boot, sessions: u64, now: Instant, fx: &mut Vec<Effect>) {
        let Some(left) = self.comparing.get_mut(&with) else { return };
        *left = left.saturating_sub(1);
        if *left == 0 {
            self.comparing.remove(&with);
            self.all_compared(with, sessions, now, fx);
        }
    }

    /// Compares with every member, as after the loss of one, and gives them. Not while this node gets the state, which
    /// is a comparison itself.
    pub(crate) fn compare_again(&mut self) -> Vec<Boot> {
        if !matches!(self.standing, Standing::Ready | Standing::Draining) {
            return Vec::new();
        }
        let members: Vec<Boot> = self.staying().collect();
        members.iter().for_each(|member| self.compare(*member, false));
        members
    }

    /// Members with whom a comparison that this node began is not over.
    pub(crate) fn comparing(&self) -> Vec<Boot> {
        self.comparing.keys().copied().collect()
    }

    fn compare(&mut self, with: Boot, joining: bool) {
        self.comparing.insert(with, SHARDS);
        self.orders.push(Order::Compare { with, joining });
    }

    fn phase(&self) -> Phase {
        match self.standing {
            Standing::Ready => Phase::Ready,
            Standing::Incomplete => Phase::Incomplete,
            Standing::Draining => Phase::Draining,
            _ if self.has_state => Phase::Returning,
            _ => Phase::Starting,
        }
    }

    fn members(&self) -> impl Iterator<Item = (Boot, &Peer, &Membership)> {
        self.peers.iter().filter_map(|(boot, peer)| Some((*boot, peer, peer.membership.as_ref()?)))
    }

    fn member(&mut self, boot: Boot) -> Option<&mut Membership> {
        self.peers.get_mut(&boot)?.membership.as_mut()
    }

    fn is_staying(&self, boot: Boot) -> bool {
        let membership = self.peers.get(&boot).and_then(|peer| peer.membership.as_ref());
        membership.is_some_and(|member| member.leaving.is_none())
    }

    /// Members that nobody is about to remove.
    fn staying(&self) -> impl Iterator<Item = Boot> {
        self.members().filter(|(_, _, member)| member.leaving.is_none()).map(|(boot, _, _)| boot)
    }

    /// Size and least boot of this node's side: the larger side stays, then the one with the least boot.
    fn side(&self) -> (u32, Boot) {
        let least = self.staying().min().map_or(self.settings.boot, |boot| boot.min(self.settings.boot));
        (u32::try_from(self.staying().count()).unwrap_or(u32::MAX).saturating_add(1), least)
    }

    /// The side as far as it still counts on this node: one that was stopped may list members that have
    /// long gone on without it, or are gone.
    fn live_side(&self, now: Instant) -> (u32, Boot) {
        if self.gate(now) == Gate::Open { self.side() } else { (0, self.settings.boot) }
    }

    /// Puts a linked process into the view.
    fn include(&mut self, boot: Boot, now: Instant, fx: &mut Vec<Effect>) {
        // The newcomer cannot give up on a serving member before that one's first lease is over, so it
        // need not stall for the first echo. PROTOCOL.md, "Lease". After a pause the join may be as old as that.
        let is_fresh = !self.doubtful && now.since(self.resumed_at) >= self.settings.timing.lease();
        let leased_at = (self.serves() && is_fresh).then_some(now);
        let Some(peer) = self.peers.get_mut(&boot) else { return };
        if peer.membership.is_some() {
            return;
        }
        peer.membership = Some(Membership::new(leased_at, now));
        peer.waits_for_name_since = None;
        self.orders.push(Order::Add(boot));
        if !peer.linked {
            self.orders.push(Order::Linked { boot, linked: false });
        }
        fx.push(Effect::Event(Event::MemberAdded { boot, name: peer.name.clone() }));
        self.most = self.most.max(self.side().0);
        self.heartbeat_at = None;
    }

    /// Never lets this process in again.
    fn bar(&mut self, boot: Boot, fx: &mut Vec<Effect>) {
        if self.barred.len() < BARRED_MAX {
            self.barred.insert(boot);
        }
        send(fx, boot, &wire::Refused { reason: RefusedReason::Barred, by: self.settings.boot.0 });
        fx.push(Effect::Forget { boot });
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
fn send<T: Plain + minicbor::Encode<()>>(fx: &mut Vec<Effect>, to: Boot, body: &T) {
    fx.push(Effect::Send { to, frame: wire::encode(body) });
}

/// How a member's removal is told to those who ask why.
pub(crate) fn is_clean(cause: Removal) -> bool {
    cause == Removal::Left
}
