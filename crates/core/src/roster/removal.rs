//! Going on without a member, and finding out that others went on without this node.

use std::collections::BTreeSet;

use crate::roster::join::Join;
use crate::roster::{BARRED_MAX, Order, Roster, Standing, is_clean, send};
use crate::wire::{Adopted, Leave, Out, Removed};
use crate::{Boot, Effect, Event, Instant, Plant, Removal};

/// A removal that is decided and not yet safe: until it is, commits wait for the member as before.
#[derive(Debug)]
pub(super) struct Fence {
    cause: Removal,
    /// Members that have not said that they adopt the removal. Without it the other side could win them
    /// over, and both would go on with the same witnesses.
    adopters: BTreeSet<Boot>,
}

impl Roster {
    /// Decides that a member is out. Nothing that it was granted is taken back: its lease has to run out.
    pub(super) fn begin_removal(&mut self, boot: Boot, cause: Removal, now: Instant, fx: &mut Vec<Effect>) {
        let announced_by = match cause {
            Removal::Announced { by } => Some(by),
            _ => None,
        };
        let others = self.staying().filter(|other| *other != boot && Some(*other) != announced_by);
        let adopters: BTreeSet<Boot> = others.collect();
        let Some(member) = self.member(boot) else { return };
        if member.leaving.is_some() {
            return;
        }
        member.leaving = Some(Fence { cause, adopters: adopters.clone() });
        for adopter in adopters {
            send(fx, adopter, &Removed { boot: boot.0, gone: false });
        }
        self.finish_removals(now, fx);
    }

    /// Repeats what was not answered; frames may be lost.
    pub(super) fn announce_removals(&mut self, fx: &mut Vec<Effect>) {
        for (boot, _, member) in self.members() {
            let Some(fence) = &member.leaving else { continue };
            for adopter in &fence.adopters {
                send(fx, *adopter, &Removed { boot: boot.0, gone: false });
            }
        }
    }

    pub(crate) fn on_removed(&mut self, from: Boot, removed: Removed, now: Instant, fx: &mut Vec<Effect>) {
        let boot = Boot(removed.boot);
        if !self.is_staying(from) {
            return;
        }
        if boot == self.settings.boot {
            self.step_out(from, now, fx);
            return;
        }
        send(fx, from, &Adopted { boot: removed.boot });
        let cause = Removal::Announced { by: from };
        if removed.gone && self.member(boot).is_some() {
            self.lose_at_once(boot, cause, now, fx);
        } else {
            self.begin_removal(boot, cause, now, fx);
        }
    }

    pub(crate) fn on_adopted(&mut self, from: Boot, adopted: Adopted, now: Instant, fx: &mut Vec<Effect>) {
        let fence = self.member(Boot(adopted.boot)).and_then(|member| member.leaving.as_mut());
        if let Some(fence) = fence {
            fence.adopters.remove(&from);
        }
        self.finish_removals(now, fx);
    }

    /// Completes the removals that are safe: everybody adopted them, and the lease that this node last
    /// granted has run out.
    pub(super) fn finish_removals(&mut self, now: Instant, fx: &mut Vec<Effect>) {
        let lease = self.settings.timing.lease();
        let staying: BTreeSet<Boot> = self.staying().collect();
        let safe = self.members().filter_map(|(boot, _, member)| {
            let fence = member.leaving.as_ref()?;
            let adopted = fence.adopters.is_disjoint(&staying);
            let expired = member.granted_at.is_none_or(|at| now.since(at) >= lease);
            (adopted && expired).then_some((boot, fence.cause))
        });
        for (boot, cause) in safe.collect::<Vec<_>>() {
            self.complete_removal(boot, cause, now, fx);
        }
    }

    /// The process is proven to exist no more: no lease has to be waited for.
    pub(crate) fn gone(&mut self, boot: Boot, now: Instant, fx: &mut Vec<Effect>) {
        if self.peers.get(&boot).is_some_and(|peer| peer.membership.is_some()) {
            let staying: Vec<Boot> = self.staying().filter(|other| *other != boot).collect();
            for other in staying {
                send(fx, other, &Removed { boot: boot.0, gone: true });
            }
            self.lose_at_once(boot, Removal::Gone, now, fx);
        }
        self.peers.remove(&boot);
        self.out_of_sight.remove(&boot);
        self.overruled.remove(&boot);
        self.advance_join(now, fx);
    }

    /// A member has died, and nobody was asked about its removal. One whose lease had run out may have gone on without this
    /// node before: those who are left know.
    fn lose_at_once(&mut self, boot: Boot, cause: Removal, now: Instant, fx: &mut Vec<Effect>) {
        let lease = self.settings.timing.lease();
        let leased_at = self.member(boot).and_then(|member| member.leased_at);
        self.complete_removal(boot, cause, now, fx);
        if !self.serves() || leased_at.is_some_and(|at| now.since(at) < lease) {
            return;
        }
        self.peers
            .values_mut()
            .filter_map(|peer| peer.membership.as_mut())
            .for_each(|member| member.leased_at = None);
        self.heartbeat_at = None;
    }

    pub(crate) fn on_leave(&mut self, from: Boot, now: Instant, fx: &mut Vec<Effect>) {
        if self.member(from).is_some() {
            self.complete_removal(from, Removal::Left, now, fx);
        }
    }

    fn complete_removal(&mut self, boot: Boot, cause: Removal, now: Instant, fx: &mut Vec<Effect>) {
        let Some(peer) = self.peers.get_mut(&boot) else { return };
        if peer.membership.take().is_none() {
            return;
        }
        let (name, linked, served) = (peer.name.clone(), peer.linked, peer.phase.serves());
        if !linked {
            self.peers.remove(&boot);
        } else if !is_clean(cause) && self.overruled.len() < BARRED_MAX {
            self.overruled.insert(boot);
        }
        self.comparing.remove(&boot);
        self.compare_when_ready.remove(&boot);
        self.stalls.remove(&boot);
        self.orders.push(Order::Remove { boot, clean: is_clean(cause) });
        fx.push(Effect::Event(Event::MemberRemoved { boot, name: name.clone(), cause }));
        if is_clean(cause) {
            self.most = self.most.saturating_sub(1).max(1);
        }
        // Who left on its way in may have told some of us what it knew, and others not.
        if !is_clean(cause) || !served {
            self.compare_after_loss();
        }
        if self.is_awaited_name(&name, boot) {
            self.bar(boot, fx);
        }
        self.lost_while_joining(boot, fx);
        // Whom one that said goodbye had let in meanwhile, nobody is left to tell.
        let is_alone = self.members().next().is_none();
        if self.doubtful && (!is_clean(cause) || is_alone) && self.is_in() {
            self.step_out(boot, now, fx);
        }
        self.finish_removals(now, fx);
    }

    /// Serving, or on the way to it.
    fn is_in(&self) -> bool {
        self.serves() || self.join.is_some()
    }

    /// What the lost member owed is known to nobody else: the others compare what they hold.
    fn compare_after_loss(&mut self) {
        if !self.serves() || self.settings.plant == Plant::DebtForgotten {
            return;
        }
        // Each of two compares: one of them may have been joining when the other saw the loss. One that only seemed to be
        // compares no more than this node does.
        let (ready, joining): (Vec<Boot>, Vec<Boot>) =
            self.staying().partition(|other| self.phase_of(*other).serves());
        ready.into_iter().for_each(|other| self.compare(other, false));
        self.compare_when_ready.extend(joining);
    }

    /// A member says that it goes on without this node.
    pub(crate) fn on_out(&mut self, from: Boot, _: Out, now: Instant, fx: &mut Vec<Effect>) {
        if self.is_staying(from) {
            self.step_out(from, now, fx);
        }
    }

    /// Stops serving, leaves its own view and joins again with what it has.
    pub(super) fn step_out(&mut self, by: Boot, now: Instant, fx: &mut Vec<Effect>) {
        self.standing = Standing::Joining;
        self.doubtful = false;
        self.has_state = true;
        for peer in self.peers.values_mut() {
            peer.membership = None;
        }
        self.peers.retain(|_, peer| peer.linked);
        self.comparing.clear();
        self.compare_when_ready.clear();
        self.orders.push(Order::RemoveAll);
        self.out_of_sight.clear();
        self.join = Some(Join::new(now));
        fx.push(Effect::Event(Event::SteppedOut { by }));
    }

    /// Says goodbye. The caller made sure that nothing is owed.
    pub(crate) fn leave(&mut self, fx: &mut Vec<Effect>) {
        for boot in self.staying().collect::<Vec<_>>() {
            send(fx, boot, &Leave {});
        }
        self.standing = Standing::Left;
        self.join = None;
        self.orders.push(Order::RemoveAll);
    }
}
