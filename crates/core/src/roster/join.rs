//! Becoming a member: this node announces itself to all, all include it, it gets the state, it compares with
//! each.

use std::collections::{BTreeMap, BTreeSet};

use crate::roster::{NodeState, Roster, ShardCommand, send};
use crate::wire::{self, Included, MemberEntry, Out, Phase, RefusedReason};
use crate::{Effects, Event, Incarnation, Instant};

/// This node's way into the cluster.
#[derive(Debug)]
pub(super) struct Join {
    started_at: Instant,
    announced_at: Option<Instant>,
    /// The members that include this node now, each with its view.
    included: BTreeMap<Incarnation, BTreeSet<Incarnation>>,
    /// Donors that failed or refused since all were tried.
    tried: BTreeSet<Incarnation>,
    /// An event has named the processes that the join waits for.
    announced: bool,
    /// Processes that may hold the state are there and say nothing (rule 5.16).
    silent: bool,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Waiting to be included by all.
    Announcing,
    /// The state comes from a donor.
    Transferring { donor: Incarnation, since: Instant },
    /// The sessions of the other members are compared with those that came.
    Comparing { left: BTreeSet<Incarnation>, founding: bool },
}

impl Join {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            started_at: now,
            announced_at: None,
            included: BTreeMap::new(),
            tried: BTreeSet::new(),
            announced: false,
            silent: false,
            stage: Stage::Announcing,
        }
    }

    /// Somebody new can be reached.
    pub(super) fn announce_now(&mut self) {
        self.announced_at = None;
    }
}

impl Roster {
    /// The initial search is over: whoever was not found by now is not waited for, unless somebody is
    /// `silent` who may hold the state (rule 5.16).
    pub(crate) fn searched(&mut self, silent: bool, now: Instant, effects: &mut Effects) {
        self.searched = true;
        if let Some(join) = &mut self.join {
            join.silent = silent;
        }
        if self.state == NodeState::Searching {
            self.state = NodeState::Joining;
        }
        self.advance_join(now, effects);
    }

    /// Another process wants to be included. Rule 4.16.
    pub(crate) fn on_join(
        &mut self,
        from: Incarnation,
        join: &wire::Join,
        now: Instant,
        effects: &mut Effects,
    ) {
        if self.barred.contains(&from) {
            send(
                effects,
                from,
                &wire::Refused { reason: RefusedReason::Barred, by: self.settings.incarnation.0 },
            );
            return;
        }
        if matches!(self.state, NodeState::Left | NodeState::Refused)
            || !self.has_free_name(from, join, now, effects)
        {
            return;
        }
        let Some(peer) = self.peers.get_mut(&from) else { return };
        let served = peer.membership.is_some() && peer.phase.serves();
        peer.phase = join.phase;
        peer.waits_for_name_since = None;
        if self.doubtful && served && !join.phase.serves() {
            // A member that served joins anew: some member went on without it, and perhaps without this node.
            self.step_out(from, now, effects);
        }
        let Some(peer) = self.peers.get_mut(&from) else { return };
        if peer.membership.as_ref().is_some_and(|member| member.leaving.is_some()) {
            return;
        }
        // It joins anew, so it knows that it was out.
        self.overruled.remove(&from);
        self.include(from, now, effects);
        let me = MemberEntry { incarnation: self.settings.incarnation.0, name: self.settings.name.clone() };
        let others = self.members().filter(|(_, _, member)| member.leaving.is_none());
        let others = others.map(|(incarnation, peer, _)| MemberEntry {
            incarnation: incarnation.0,
            name: peer.name.clone(),
        });
        let view = std::iter::once(me).chain(others).collect();
        send(effects, from, &Included { view, phase: self.phase() });
    }

    /// Whether the name of a newcomer is free. A live process keeps its name; one that does not answer any
    /// more loses it, and is barred. Rule 4.18.
    fn has_free_name(
        &mut self,
        from: Incarnation,
        join: &wire::Join,
        now: Instant,
        effects: &mut Effects,
    ) -> bool {
        let me = self.settings.incarnation;
        if join.name == self.settings.name {
            if self.serves() || me < from {
                send(effects, from, &wire::Refused { reason: RefusedReason::NameTaken, by: me.0 });
            }
            return false;
        }
        let owner =
            self.members().find(|(incarnation, peer, _)| *incarnation != from && peer.name == join.name);
        let Some((owner, alive_at)) = owner.map(|(incarnation, _, member)| (incarnation, member.alive_at))
        else {
            return true;
        };
        let Some(peer) = self.peers.get_mut(&from) else { return false };
        let since = *peer.waits_for_name_since.get_or_insert(now);
        if alive_at > since {
            send(effects, from, &wire::Refused { reason: RefusedReason::NameTaken, by: owner.0 });
        }
        false
    }

    /// Somebody else than its owner waits for this name to become free. Rule 4.18.
    pub(super) fn is_awaited_name(&self, name: &str, owner: Incarnation) -> bool {
        let mut others =
            self.peers.iter().filter(|(incarnation, _)| **incarnation != owner).map(|(_, peer)| peer);
        others.any(|peer| peer.name == name && peer.waits_for_name_since.is_some())
    }

    pub(crate) fn on_refused(&mut self, refused: wire::Refused, effects: &mut Effects) {
        let barred = refused.reason == RefusedReason::Barred;
        if barred || !self.serves() && self.state != NodeState::Left {
            self.state = NodeState::Refused;
            self.refused_by = Some(Incarnation(refused.by));
            self.join = None;
            self.commands.push(ShardCommand::RemoveAll);
            self.peers.values_mut().for_each(|peer| peer.membership = None);
            effects.event(Event::NameTaken { by: Incarnation(refused.by) });
        }
    }

    /// Rules 4.13, 5.3 and 5.4.
    pub(crate) fn on_included(
        &mut self,
        from: Incarnation,
        included: Included,
        now: Instant,
        effects: &mut Effects,
    ) {
        let me = self.settings.incarnation.0;
        // The sender is gone: the join would wait for it for ever.
        if !self.peers.contains_key(&from) {
            return;
        }
        // The sender does not know that it was removed. What it holds is behind, and a grant would let it
        // serve that.
        if self.overruled.contains(&from) {
            send(effects, from, &Out {});
            return;
        }
        let Some(join) = &mut self.join else {
            // The sender answers a join that is over, and counts on a comparison that would never come.
            if self.serves() && self.is_staying(from) {
                self.compare(from, false);
            }
            return;
        };
        let view =
            included.view.iter().map(|entry| entry.incarnation).filter(|incarnation| *incarnation != me);
        let view: BTreeSet<Incarnation> = view.map(Incarnation).collect();
        // An answer to an earlier join may have come first. A member that is new in this view has to include
        // this node too.
        if !matches!(join.stage, Stage::Announcing)
            && !view.iter().all(|incarnation| join.included.contains_key(incarnation))
        {
            join.stage = Stage::Announcing;
            join.announce_now();
        }
        join.included.insert(from, view);
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.phase = included.phase;
        }
        self.include(from, now, effects);
        self.advance_join(now, effects);
    }

    /// Takes the next step of the join, if there is one to take.
    pub(super) fn advance_join(&mut self, now: Instant, effects: &mut Effects) {
        self.announce(now, effects);
        let Some(join) = &self.join else { return };
        match &join.stage {
            Stage::Announcing if self.may_choose(join) && self.is_included_by_all(join, now) => {
                self.choose_donor(now, effects)
            }
            Stage::Comparing { left, founding } if left.is_empty() => {
                let founding = *founding;
                self.become_ready(founding, now, effects);
            }
            _ => {
                self.tell_unreachable(now, effects);
                self.give_up_waiting(now, effects);
            }
        }
    }

    /// Names once, in an event, the processes that the join waits for though no link leads there.
    fn tell_unreachable(&mut self, now: Instant, effects: &mut Effects) {
        let patience = self.settings.timing.drop_time * 2;
        let Some(join) = self.join.as_mut().filter(|join| !join.announced) else { return };
        if !matches!(join.stage, Stage::Announcing) || now.since(join.started_at) < patience {
            return;
        }
        let linked = |incarnation: &Incarnation| self.peers.get(incarnation).is_some_and(|peer| peer.linked);
        let viewed: BTreeSet<Incarnation> = join.included.values().flatten().copied().collect();
        let incarnations: Vec<Incarnation> =
            viewed.into_iter().filter(|incarnation| !linked(incarnation)).collect();
        if !incarnations.is_empty() {
            join.announced = true;
            effects.event(Event::Unreachable { incarnations });
        }
    }

    /// Asks every process that can be reached to include this node, again with each heartbeat: their views
    /// change. Rule 5.1.
    fn announce(&mut self, now: Instant, effects: &mut Effects) {
        let heartbeat = self.settings.timing.heartbeat;
        let phase = self.phase();
        let Some(join) = &mut self.join else { return };
        let due = join.announced_at.is_none_or(|at| now.since(at) >= heartbeat);
        if !due || !matches!(join.stage, Stage::Announcing) {
            return;
        }
        join.announced_at = Some(now);
        let body = wire::Join { name: self.settings.name.clone(), phase };
        for (incarnation, _) in self.peers.iter().filter(|(_, peer)| peer.linked) {
            send(effects, *incarnation, &body);
        }
    }

    /// Every process that can be reached, and every process in their views, includes this node. Rule 5.1.
    fn is_included_by_all(&self, join: &Join, now: Instant) -> bool {
        let drop_time = self.settings.timing.drop_time;
        let live = |(incarnation, peer): (&Incarnation, &super::Peer)| {
            (peer.linked
                && now.since(peer.heard_at.max(self.resumed_at)) < drop_time
                && !self.barred.contains(incarnation))
            .then_some(*incarnation)
        };
        let reached = self.peers.iter().filter_map(live);
        // A process that is out or gone since it answered says nothing about today's views.
        let answers = || join.included.iter().filter(|(incarnation, _)| self.is_staying(**incarnation));
        let viewed = answers().flat_map(|(_, view)| view).copied();
        let includers: BTreeSet<Incarnation> = answers().map(|(incarnation, _)| *incarnation).collect();
        reached.chain(viewed).all(|incarnation| includers.contains(&incarnation))
    }

    /// While a process that may hold the state says nothing, only a complete donor ends the wait. Rule 5.16.
    fn may_choose(&self, join: &Join) -> bool {
        let complete = |incarnation| matches!(self.phase_of(incarnation), Phase::Ready | Phase::Draining);
        self.searched && (!join.silent || self.staying().any(complete))
    }

    /// Rule 5.5.
    fn choose_donor(&mut self, now: Instant, effects: &mut Effects) {
        let staying: Vec<Incarnation> = self.staying().collect();
        let phases: Vec<(Incarnation, Phase)> =
            staying.iter().map(|incarnation| (*incarnation, self.phase_of(*incarnation))).collect();
        let Some(join) = &mut self.join else { return };
        let donors = phases.iter().filter(|(_, phase)| matches!(phase, Phase::Ready | Phase::Draining));
        let donors: Vec<Incarnation> = donors.map(|(incarnation, _)| *incarnation).collect();
        if donors.iter().all(|donor| join.tried.contains(donor)) {
            join.tried.clear();
        }
        if let Some(donor) = donors.iter().copied().find(|donor| !join.tried.contains(donor)) {
            join.stage = Stage::Transferring { donor, since: now };
            effects.event(Event::StateRequested { from: donor });
            self.compare(donor, true);
        } else if phases.iter().any(|(_, phase)| phase.serves()) {
            self.compare_with_all(staying, false, now, effects);
        } else {
            self.found_or_wait(&phases, now, effects);
        }
    }

    /// Only joiners are here. The least incarnation founds the cluster; a joiner that holds sessions goes
    /// before those that do not. It first gets what the others hold: a fresh joiner, too, may have received
    /// changes. Rule 5.9.
    fn found_or_wait(&mut self, phases: &[(Incarnation, Phase)], now: Instant, effects: &mut Effects) {
        let rank = |incarnation: Incarnation, phase: Phase| (phase != Phase::Returning, incarnation);
        let mine = rank(self.settings.incarnation, self.phase());
        let goes_before = phases.iter().any(|(incarnation, phase)| rank(*incarnation, *phase) < mine);
        if goes_before || self.may_be_found(now) || self.has_lost_sight(now) {
            return;
        }
        let others = phases.iter().map(|(incarnation, _)| *incarnation).collect();
        self.compare_with_all(others, true, now, effects);
    }

    /// Whether a node that returns, or was stopped while it joined, should wait until members find it that
    /// went on without it. Rules 4.16 and 5.10.
    fn may_be_found(&self, now: Instant) -> bool {
        let Some(join) = &self.join else { return false };
        let was_stopped = self.resumed_at > join.started_at;
        let since = join.started_at.max(self.resumed_at);
        (self.has_state || was_stopped) && now.since(since) < self.settings.timing.drop_time
    }

    /// Whether the link to some process was lost a moment ago and the process is not known to be dead. It may
    /// be a member of a cluster, and this node would found another one beside it. Rule 5.10.
    fn has_lost_sight(&self, now: Instant) -> bool {
        let drop_time = self.settings.timing.drop_time;
        self.out_of_sight.values().any(|heard_at| now.since(*heard_at) < drop_time)
    }

    /// Rule 5.6.
    fn compare_with_all(
        &mut self,
        others: Vec<Incarnation>,
        founding: bool,
        now: Instant,
        effects: &mut Effects,
    ) {
        for other in &others {
            self.compare(*other, false);
        }
        if let Some(join) = &mut self.join {
            join.stage = Stage::Comparing { left: others.into_iter().collect(), founding };
        }
        self.advance_join(now, effects);
    }

    /// Every shard has compared with this member. Rule 5.6.
    pub(super) fn all_compared(
        &mut self,
        with: Incarnation,
        sessions: u64,
        now: Instant,
        effects: &mut Effects,
    ) {
        let rest: Vec<Incarnation> = self.staying().filter(|incarnation| *incarnation != with).collect();
        let Some(join) = &mut self.join else { return };
        match &mut join.stage {
            Stage::Transferring { donor, since } if *donor == with => {
                let elapsed = now.since(*since);
                self.transfers_received += 1;
                effects.event(Event::StateReceived { sessions, elapsed });
                let trusts = planted!(self.settings, JOINER_TRUSTS_DONOR);
                self.compare_with_all(if trusts { Vec::new() } else { rest }, false, now, effects);
            }
            Stage::Comparing { left, .. } => {
                left.remove(&with);
                self.advance_join(now, effects);
            }
            _ => {}
        }
    }

    /// The donor lacks some sessions itself. Rule 5.5.
    pub(crate) fn not_donor(&mut self, donor: Incarnation, now: Instant, effects: &mut Effects) {
        self.comparing.remove(&donor);
        self.interrupted(donor, effects);
        self.advance_join(now, effects);
    }

    pub(super) fn lost_while_joining(&mut self, lost: Incarnation, effects: &mut Effects) {
        let Some(join) = &mut self.join else { return };
        join.included.remove(&lost);
        join.included.values_mut().for_each(|view| {
            view.remove(&lost);
        });
        let donor = match join.stage {
            Stage::Transferring { donor, .. } => Some(donor),
            _ => None,
        };
        // Changes that the lost member had not sent to all may be with members that compared before they got
        // them.
        if donor != Some(lost) && !matches!(join.stage, Stage::Announcing) {
            join.stage = Stage::Announcing;
            join.announced_at = None;
        }
        self.interrupted(lost, effects);
    }

    fn interrupted(&mut self, donor: Incarnation, effects: &mut Effects) {
        let Some(join) = &mut self.join else { return };
        if matches!(join.stage, Stage::Transferring { donor: current, .. } if current == donor) {
            join.stage = Stage::Announcing;
            join.announced_at = None;
            join.tried.insert(donor);
            self.transfers_interrupted += 1;
            effects.event(Event::TransferInterrupted { donor });
        }
    }

    /// After the transfer time a fresh node goes on with what it has. A node that returns does not: what it
    /// remembers may be older than what others acknowledged. Rule 5.13.
    fn give_up_waiting(&mut self, now: Instant, effects: &mut Effects) {
        let Some(join) = &self.join else { return };
        let timeout = self.settings.timing.transfer_timeout;
        let late = timeout.is_some_and(|timeout| now.since(join.started_at) >= timeout);
        // Before all members include this node, what it holds may be behind what they acknowledged.
        let included =
            !matches!(join.stage, Stage::Announcing) || join.silent && self.is_included_by_all(join, now);
        let late = late && included;
        if late && self.searched && self.state == NodeState::Joining && !self.has_state {
            self.state = NodeState::Incomplete;
            self.heartbeat_at = None;
            effects.event(Event::BecameReady { complete: false });
        }
    }

    /// Rules 5.7 and 5.11.
    fn become_ready(&mut self, founding: bool, now: Instant, effects: &mut Effects) {
        // A node that drains goes on draining.
        if self.state != NodeState::Draining {
            self.state = NodeState::Ready;
        }
        (self.has_state, self.has_all) = (true, true);
        self.join = None;
        self.heartbeat_at = None;
        if founding {
            self.commands.push(ShardCommand::AdvanceClocks);
            effects.event(Event::Founded);
        }
        effects.event(Event::BecameReady { complete: true });
        self.watch_gate(now, effects);
    }
}
