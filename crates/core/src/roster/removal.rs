//! Going on without a member, and finding out that others went on without this node.

use std::collections::BTreeSet;

use crate::roster::join::Join;
use crate::roster::{BARRED_MAX, NodeState, Roster, ShardCommand, is_clean, send};
use crate::wire::{Adopted, Leave, Out, Removed};
use crate::{Effect, Effects, Event, Incarnation, Instant, Removal};

/// A removal that is decided and not yet safe: until it is, commits wait for the member as before.
#[derive(Debug)]
pub(super) struct Fence {
    cause: Removal,
    /// Members that have not said that they adopt the removal. Without that the other side could win them
    /// over, and both sides would go on with the same witnesses.
    adopters: BTreeSet<Incarnation>,
}

impl Roster {
    /// Decides that a member is out. Its lease is not taken back, it has to run out.
    /// Rule 4.8.
    pub(super) fn begin_removal(
        &mut self,
        incarnation: Incarnation,
        cause: Removal,
        now: Instant,
        effects: &mut Effects,
    ) {
        let announced_by = match cause {
            Removal::Announced { by } => Some(by),
            _ => None,
        };
        let others = self.staying().filter(|other| *other != incarnation && Some(*other) != announced_by);
        let adopters: BTreeSet<Incarnation> = others.collect();
        let Some(member) = self.member(incarnation) else { return };
        if member.leaving.is_some() {
            return;
        }
        member.leaving = Some(Fence { cause, adopters: adopters.clone() });
        for adopter in adopters {
            send(effects, adopter, &Removed { incarnation: incarnation.0, gone: false });
        }
        self.finish_removals(now, effects);
    }

    /// Repeats what was not answered; frames may be lost. Rule 4.8.
    pub(super) fn announce_removals(&mut self, effects: &mut Effects) {
        for (incarnation, _, member) in self.members() {
            let Some(fence) = &member.leaving else { continue };
            for adopter in &fence.adopters {
                send(effects, *adopter, &Removed { incarnation: incarnation.0, gone: false });
            }
        }
    }

    /// Rules 4.9 and 4.12.
    pub(crate) fn on_removed(
        &mut self,
        from: Incarnation,
        removed: Removed,
        now: Instant,
        effects: &mut Effects,
    ) {
        let incarnation = Incarnation(removed.incarnation);
        if !self.is_staying(from) {
            return;
        }
        if incarnation == self.settings.incarnation {
            self.step_out(from, now, effects);
            return;
        }
        send(effects, from, &Adopted { incarnation: removed.incarnation });
        let cause = Removal::Announced { by: from };
        if removed.gone && self.member(incarnation).is_some() {
            self.lose_at_once(incarnation, cause, now, effects);
        } else {
            self.begin_removal(incarnation, cause, now, effects);
        }
    }

    /// Rule 4.9.
    pub(crate) fn on_adopted(
        &mut self,
        from: Incarnation,
        adopted: Adopted,
        now: Instant,
        effects: &mut Effects,
    ) {
        let fence = self.member(Incarnation(adopted.incarnation)).and_then(|member| member.leaving.as_mut());
        if let Some(fence) = fence {
            fence.adopters.remove(&from);
        }
        self.finish_removals(now, effects);
    }

    /// Completes the removals that are safe: everybody adopted them, and the lease that this node last
    /// granted has run out. Rule 4.8.
    pub(super) fn finish_removals(&mut self, now: Instant, effects: &mut Effects) {
        let lease = planted!(self.settings.timing.granted_lease() => awaited_lease(&self.settings));
        let staying: BTreeSet<Incarnation> = self.staying().collect();
        let safe = self.members().filter_map(|(incarnation, _, member)| {
            let fence = member.leaving.as_ref()?;
            let adopted = fence.adopters.is_disjoint(&staying);
            let expired = member.granted_at.is_none_or(|at| now.since(at) >= lease);
            (adopted && expired).then_some((incarnation, fence.cause))
        });
        for (incarnation, cause) in safe.collect::<Vec<_>>() {
            self.complete_removal(incarnation, cause, now, effects);
        }
    }

    /// The process is proven to exist no more: no lease has to be waited for. Rule 4.10.
    pub(crate) fn gone(&mut self, incarnation: Incarnation, now: Instant, effects: &mut Effects) {
        if self.peers.get(&incarnation).is_some_and(|peer| peer.membership.is_some()) {
            let staying: Vec<Incarnation> = self.staying().filter(|other| *other != incarnation).collect();
            for other in staying {
                send(effects, other, &Removed { incarnation: incarnation.0, gone: true });
            }
            self.lose_at_once(incarnation, Removal::Gone, now, effects);
        }
        self.peers.remove(&incarnation);
        self.out_of_sight.remove(&incarnation);
        self.overruled.remove(&incarnation);
        self.advance_join(now, effects);
    }

    /// A member has died, and no member was asked about its removal. If its lease had run out, it may have
    /// gone on without this node before; the remaining members know. Rule 4.11.
    fn lose_at_once(
        &mut self,
        incarnation: Incarnation,
        cause: Removal,
        now: Instant,
        effects: &mut Effects,
    ) {
        let lease = self.settings.timing.lease();
        let leased_at = self.member(incarnation).and_then(|member| member.leased_at);
        self.complete_removal(incarnation, cause, now, effects);
        if !self.serves() || leased_at.is_some_and(|at| now.since(at) < lease) {
            return;
        }
        self.peers
            .values_mut()
            .filter_map(|peer| peer.membership.as_mut())
            .for_each(|member| member.leased_at = None);
        self.heartbeat_at = None;
    }

    /// Rule 4.10.
    pub(crate) fn on_leave(&mut self, from: Incarnation, now: Instant, effects: &mut Effects) {
        if self.member(from).is_some() {
            self.complete_removal(from, Removal::Left, now, effects);
        }
    }

    fn complete_removal(
        &mut self,
        incarnation: Incarnation,
        cause: Removal,
        now: Instant,
        effects: &mut Effects,
    ) {
        let Some(peer) = self.peers.get_mut(&incarnation) else { return };
        if peer.membership.take().is_none() {
            return;
        }
        let (name, linked, served) = (peer.name.clone(), peer.linked, peer.phase.serves());
        if !linked {
            self.peers.remove(&incarnation);
        } else if !is_clean(cause) && self.overruled.len() < BARRED_MAX {
            self.overruled.insert(incarnation);
        }
        self.comparing.remove(&incarnation);
        self.compare_when_ready.remove(&incarnation);
        self.stalls.remove(&incarnation);
        self.commands.push(ShardCommand::Remove { incarnation, clean: is_clean(cause) });
        effects.event(Event::MemberRemoved { incarnation, name: name.clone(), cause });
        if !is_clean(cause) {
            effects.push(Effect::MemberLost);
        }
        if is_clean(cause) {
            self.most = self.most.saturating_sub(1).max(1);
        }
        // Also after a goodbye: some of the others may not have acknowledged the last commit of the one that
        // left, and if it left while it joined, its sessions may be with some members only.
        if !is_clean(cause) || !served || !planted!(self.settings, GOODBYE_NOT_COMPARED) {
            self.compare_after_loss();
        }
        if self.is_awaited_name(&name, incarnation) {
            self.bar(incarnation, effects);
        }
        self.lost_while_joining(incarnation, effects);
        // If the leaving member had admitted a joiner, no remaining member knows about it (rule 4.17).
        let is_alone = self.members().next().is_none();
        if self.doubtful && (!is_clean(cause) || is_alone) && self.is_in() {
            self.step_out(incarnation, now, effects);
        }
        self.finish_removals(now, effects);
    }

    /// Serving, or on the way to it.
    fn is_in(&self) -> bool {
        self.serves() || self.join.is_some()
    }

    /// Changes that the lost member had not sent to all are unknown to some members: the others compare their
    /// sessions. Rules 6.4 and 6.5.
    fn compare_after_loss(&mut self) {
        if !self.serves() || planted!(self.settings, BACKLOG_FORGOTTEN) {
            return;
        }
        // Both of two members compare, because one of them may have been joining when the other saw the loss.
        // A member that only seemed to be joining compares no more than this node does.
        let (ready, joining): (Vec<Incarnation>, Vec<Incarnation>) =
            self.staying().partition(|other| self.phase_of(*other).serves());
        ready.into_iter().for_each(|other| self.compare(other, false));
        self.compare_when_ready.extend(joining);
    }

    /// A member says that it goes on without this node. Rule 4.12.
    pub(crate) fn on_out(&mut self, from: Incarnation, _: Out, now: Instant, effects: &mut Effects) {
        if self.is_staying(from) {
            self.step_out(from, now, effects);
        }
    }

    /// Stops serving, leaves its own view and joins again with what it has. Rule 4.12.
    pub(super) fn step_out(&mut self, by: Incarnation, now: Instant, effects: &mut Effects) {
        self.state = NodeState::Joining;
        self.doubtful = false;
        (self.has_state, self.has_all) = (true, false);
        for peer in self.peers.values_mut() {
            peer.membership = None;
        }
        self.peers.retain(|_, peer| peer.linked);
        self.comparing.clear();
        self.compare_when_ready.clear();
        self.commands.push(ShardCommand::RemoveAll);
        self.out_of_sight.clear();
        self.join = Some(Join::new(now));
        effects.event(Event::SteppedOut { by });
    }

    /// Says goodbye. The caller made sure that nothing is backlog.
    pub(crate) fn leave(&mut self, effects: &mut Effects) {
        for incarnation in self.staying().collect::<Vec<_>>() {
            send(effects, incarnation, &Leave {});
        }
        self.state = NodeState::Left;
        self.join = None;
        self.commands.push(ShardCommand::RemoveAll);
    }
}
