//! Inputs of the network and the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::MutexGuard;

use crate::key::SHARDS;
use crate::node::Node;
use crate::roster::{NodeState, Roster, ShardCommand};
use crate::shard::{ComparisonOutcome, Shard};
use crate::wire::{self, Ack, Frame, Malformed, MembershipFrame, Sequenced, ShardFrame};
use crate::{Effect, Effects, Event, Incarnation, Instant, SessionKey};

/// A process at the other end of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// The process.
    pub incarnation: Incarnation,
    /// Its node name.
    pub name: String,
}

impl Node {
    /// Frames can be sent to this process from now on.
    pub fn link_up(&self, peer: &PeerInfo, now: Instant, effects: &mut Effects) {
        let mut roster = self.roster(now, effects);
        roster.link_up(peer.incarnation, &peer.name, now, effects);
        self.carry_out(&mut roster, now, effects);
    }

    /// The link is down; what was on the way may be lost.
    pub fn link_down(&self, incarnation: Incarnation, now: Instant, effects: &mut Effects) {
        self.unsent.lock().forget(incarnation);
        let mut roster = self.roster(now, effects);
        roster.link_down(incarnation);
        self.carry_out(&mut roster, now, effects);
    }

    /// This process is proven to exist no more: it need not be waited for.
    pub fn gone(&self, incarnation: Incarnation, now: Instant, effects: &mut Effects) {
        let mut roster = self.roster(now, effects);
        roster.gone(incarnation, now, effects);
        self.carry_out(&mut roster, now, effects);
    }

    /// The initial search is over. Whoever is not linked by now is not waited for; with nobody linked this
    /// node begins the cluster.
    pub fn searched(&self, now: Instant, effects: &mut Effects) {
        let mut roster = self.roster(now, effects);
        roster.searched(false, now, effects);
        self.carry_out(&mut roster, now, effects);
    }

    /// The time for the initial search is over, and processes that may hold sessions are there and say
    /// nothing. With a complete member in reach this node gets the state from it; without one it serves
    /// incomplete after the transfer time and begins no cluster, until [`searched`](Self::searched) says that
    /// nobody is silent any more.
    pub fn search_timed_out(&self, now: Instant, effects: &mut Effects) {
        let mut roster = self.roster(now, effects);
        roster.searched(true, now, effects);
        self.carry_out(&mut roster, now, effects);
    }

    /// Time passed: to be called every [`Timing::tick`](crate::Timing::tick).
    pub fn tick(&self, now: Instant, effects: &mut Effects) {
        self.send_unsent(effects);
        let mut roster = self.roster(now, effects);
        let mut stalls: BTreeMap<Incarnation, Duration> = BTreeMap::new();
        for shard in &self.shards {
            for (incarnation, stall) in shard.lock().stalls(now) {
                let worst = stalls.entry(incarnation).or_default();
                *worst = stall.max(*worst);
            }
        }
        roster.tick(stalls, now, effects);
        self.carry_out(&mut roster, now, effects);
        drop(roster);
        let mut late = BTreeSet::new();
        for number in 0..SHARDS as u8 {
            self.in_shard(number, now, effects, |shard, effects| late.append(&mut shard.tick(now, effects)));
        }
        let after = self.settings.timing.ack_timeout;
        effects.extend(late.into_iter().map(|by| Effect::Event(Event::AckLate { by, after })));
    }

    /// From now on balancers should not choose this node; it goes on serving and replicating.
    pub fn drain(&self, now: Instant, effects: &mut Effects) {
        let mut roster = self.roster(now, effects);
        if roster.serves() {
            roster.state = NodeState::Draining;
        }
        self.carry_out(&mut roster, now, effects);
    }

    /// Compares all sessions with every member now, as after the loss of one; what differs is sent as copies.
    /// Gives the members; [`comparing`](Self::comparing) says when it is over. Nobody, while this node is not
    /// complete.
    pub fn compare_again(&self, now: Instant, effects: &mut Effects) -> Vec<Incarnation> {
        let mut roster = self.roster(now, effects);
        let members = roster.compare_again();
        self.carry_out(&mut roster, now, effects);
        members
    }

    /// Leaves at once. The caller drained and saw that [`backlogs`](Self::backlogs) is empty, or gave up.
    pub fn leave(&self, now: Instant, effects: &mut Effects) {
        let mut roster = self.roster(now, effects);
        roster.leave(effects);
        self.carry_out(&mut roster, now, effects);
    }

    /// One whole frame from a linked process. A kind that this version does not know is skipped.
    ///
    /// # Errors
    /// [`Malformed`] when the frame cannot be read; nothing was changed.
    pub fn received(
        &self,
        from: Incarnation,
        frame: &Bytes,
        now: Instant,
        effects: &mut Effects,
    ) -> Result<(), Malformed> {
        match wire::decode(frame)? {
            Some(Frame::Sequenced(position, body)) => {
                if matches!(body, Sequenced::Unknown) {
                    self.frames_skipped.fetch_add(1, Ordering::Relaxed);
                }
                let shard = &self.shards[usize::from(position.shard)];
                shard.lock().on_sequenced(from, position, body, frame, now, effects);
            }
            Some(Frame::Shard(body)) => self.on_shard_frame(from, body, frame, now, effects),
            Some(Frame::Membership(body)) => self.on_membership_frame(from, body, now, effects),
            None => {
                self.frames_skipped.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Acknowledges everything received from this process since the last call, in one frame: to be called
    /// after each batch of `received`.
    pub fn acknowledge(&self, from: Incarnation, effects: &mut Effects) {
        let _in_order = self.acknowledging[from.0 as usize % SHARDS].lock();
        let lines: Vec<_> = self.shards.iter().filter_map(|shard| shard.lock().take_ack(from)).collect();
        if lines.is_empty() {
            return;
        }
        let ack = Ack { lines };
        if effects.try_send(from, wire::encode(&ack)).is_err() {
            for line in ack.lines {
                self.shards[usize::from(line.shard)].lock().give_back_ack(from, line);
            }
            self.unsent.lock().acknowledge_later(from);
        }
    }

    /// A frame from `Effect::Undelivered`: it is sent again at the next tick.
    pub fn undelivered(&self, to: Incarnation, frame: Bytes) {
        self.unsent.lock().keep(to, frame);
    }

    /// Some of the frames that were taken for this process are lost, while its link is up: a further
    /// connection broke. What is on the way is sent again.
    pub fn frames_lost(&self, to: Incarnation, now: Instant, effects: &mut Effects) {
        for shard in &self.shards {
            shard.lock().frames_lost(to, now, effects);
        }
    }

    /// Tries again what found no room.
    fn send_unsent(&self, effects: &mut Effects) {
        let unacknowledged = {
            let mut unsent = self.unsent.lock();
            unsent.send(effects);
            unsent.take_unacknowledged()
        };
        unacknowledged.into_iter().for_each(|from| self.acknowledge(from, effects));
    }

    fn on_shard_frame(
        &self,
        from: Incarnation,
        body: ShardFrame<'_>,
        frame: &Bytes,
        now: Instant,
        effects: &mut Effects,
    ) {
        match body {
            ShardFrame::Touch(touch) => self.shard(SessionKey(touch.key)).lock().on_touch(from, &touch, now),
            ShardFrame::Ask(ask) => self.shard(SessionKey(ask.key)).lock().on_ask(from, &ask, now, effects),
            ShardFrame::Answer(answer) => {
                self.shard(SessionKey(answer.key)).lock().on_answer(from, &answer, frame, now, effects);
            }
            ShardFrame::Ack(ack) => {
                for line in ack.lines {
                    self.in_shard(line.shard, now, effects, |shard, effects| {
                        shard.on_ack(from, line, now, effects)
                    });
                }
            }
            ShardFrame::Gap(gap) => self.in_shard(gap.shard, now, effects, |shard, effects| {
                shard.on_gap(from, gap.epoch, now, effects)
            }),
            ShardFrame::Digest(digest) => self.in_shard(digest.shard, now, effects, |shard, effects| {
                shard.on_digest(from, &digest, now, effects)
            }),
            ShardFrame::Listing(listing) => self.in_shard(listing.shard, now, effects, |shard, effects| {
                shard.on_listing(from, listing, now, effects)
            }),
            ShardFrame::Want(want) => self.in_shard(want.shard, now, effects, |shard, effects| {
                shard.on_want(from, &want, now, effects)
            }),
            ShardFrame::Synced(synced) => self.in_shard(synced.shard, now, effects, |shard, effects| {
                shard.on_synced(from, &synced, now, effects)
            }),
            ShardFrame::NotDonor(refusal) => {
                self.in_shard(refusal.shard, now, effects, |shard, _| shard.on_not_donor(from, refusal))
            }
        }
    }

    fn on_membership_frame(
        &self,
        from: Incarnation,
        body: MembershipFrame,
        now: Instant,
        effects: &mut Effects,
    ) {
        let mut roster = self.roster(now, effects);
        roster.heard(from, now);
        match body {
            MembershipFrame::Heartbeat(beat) => roster.on_heartbeat(from, beat, now, effects),
            MembershipFrame::Echo(echo) => roster.on_echo(from, echo),
            MembershipFrame::Join(join) => roster.on_join(from, &join, now, effects),
            MembershipFrame::Included(included) => roster.on_included(from, included, now, effects),
            MembershipFrame::Refused(refused) => roster.on_refused(refused, effects),
            MembershipFrame::Leave(_) => roster.on_leave(from, now, effects),
            MembershipFrame::Removed(removed) => roster.on_removed(from, removed, now, effects),
            MembershipFrame::Adopted(adopted) => roster.on_adopted(from, adopted, now, effects),
            MembershipFrame::Out(out) => roster.on_out(from, out, now, effects),
        }
        self.carry_out(&mut roster, now, effects);
    }

    /// Runs something in a shard and tells the roster what came of it.
    fn in_shard(
        &self,
        number: u8,
        now: Instant,
        effects: &mut Effects,
        run: impl FnOnce(&mut Shard, &mut Effects),
    ) {
        let Some(shard) = self.shards.get(usize::from(number)) else { return };
        let mut shard = shard.lock();
        run(&mut shard, effects);
        let outcomes = shard.take_outcomes();
        drop(shard);
        if outcomes.is_empty() {
            return;
        }
        let sessions = self.session_count(None);
        let mut roster = self.roster(now, effects);
        for outcome in outcomes {
            match outcome {
                ComparisonOutcome::Completed(with) => roster.compared(with, sessions, now, effects),
                ComparisonOutcome::Declined(by) => roster.not_donor(by, now, effects),
            }
        }
        self.carry_out(&mut roster, now, effects);
    }

    /// The roster, which first notices whether this process had been stopped.
    fn roster(&self, now: Instant, effects: &mut Effects) -> MutexGuard<'_, Roster> {
        let mut roster = self.roster.lock();
        roster.notice_own_pause(now, effects);
        roster
    }

    /// Carries out what the roster ordered, under its lock: commands reach all shards in one order.
    fn carry_out(&self, roster: &mut Roster, now: Instant, effects: &mut Effects) {
        for command in std::mem::take(&mut roster.commands) {
            for number in 0..SHARDS {
                command_shard(&mut self.shards[number].lock(), command, now, effects);
            }
        }
        self.publish(roster);
        roster.watch_gate(now, effects);
    }
}

fn command_shard(shard: &mut Shard, command: ShardCommand, now: Instant, effects: &mut Effects) {
    match command {
        ShardCommand::Add(incarnation) => shard.add_member(incarnation, now, effects),
        ShardCommand::Remove { incarnation, clean } => {
            shard.remove_member(incarnation, clean, now, effects);
            if !clean {
                shard.speak_for(incarnation, now);
            }
        }
        ShardCommand::RemoveAll => shard.remove_all(now, effects),
        ShardCommand::Linked { incarnation, linked } => shard.set_linked(incarnation, linked, now, effects),
        ShardCommand::Resend(incarnation) => shard.resend(incarnation, now, effects),
        ShardCommand::Compare { with, joining } => shard.compare(with, joining, now, effects),
        ShardCommand::AdvanceClocks => shard.advance_clocks(now, effects),
    }
}
