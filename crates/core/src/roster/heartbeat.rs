//! Heartbeats, echoes and leases.
//!
//! An echo proves that the process answers. A granted echo is also a promise: "I shall not go on without you
//! before one lease has passed since you sent this heartbeat."

use std::collections::BTreeMap;
use std::time::Duration;

use crate::roster::{Roster, ShardCommand, send};
use crate::wire::{Echo, Heartbeat, Out, Phase, Refused, RefusedReason};
use crate::{Effects, Event, Incarnation, Instant, Removal};

/// Heartbeats whose echo is awaited; older ones count as lost.
const SENT_MAX: usize = 64;

impl Roster {
    /// Time passed. `stalls`: how long each member has acknowledged nothing.
    pub(crate) fn tick(
        &mut self,
        stalls: BTreeMap<Incarnation, Duration>,
        now: Instant,
        effects: &mut Effects,
    ) {
        self.stalls = stalls;
        self.ticked_at = now;
        let due = |at: Instant| now.since(at) >= self.settings.timing.heartbeat;
        if self.heartbeat_at.is_none_or(due) {
            self.heartbeat_at = Some(now);
            self.send_heartbeats(now, effects);
            self.announce_removals(effects);
        }
        self.watch_members(now, effects);
        self.finish_removals(now, effects);
        self.advance_join(now, effects);
    }

    /// To be called before anything else that happens at `now`.
    ///
    /// A process that was stopped learns nothing from the silence of others: their echoes wait unread, and
    /// they may have gone on without it. It begins to count anew; its own leases stay as old as they are. A
    /// joiner begins its join again, because a member that had included it may have removed it since. A
    /// process that was alone looks for others first: one that started meanwhile waited for it in vain and
    /// founded a cluster without it. Rules 4.15 and 4.16.
    pub(crate) fn notice_own_pause(&mut self, now: Instant, effects: &mut Effects) {
        let stopped = now.since(self.ticked_at);
        if stopped < self.settings.timing.heartbeat * 2 || planted!(self.settings, OWN_PAUSE_UNNOTICED) {
            return;
        }
        self.ticked_at = now;
        self.resumed_at = now;
        let is_alone = self.members().next().is_none();
        // While all leases hold, no member has gone on without it.
        self.doubtful |= is_alone || !self.holds_all_leases(now);
        let began_without_it = self.serves() && self.searched && stopped >= self.settings.timing.lease();
        if self.join.is_some() && !is_alone || is_alone && began_without_it {
            self.step_out(self.settings.incarnation, now, effects);
        }
    }

    fn send_heartbeats(&mut self, now: Instant, effects: &mut Effects) {
        self.heartbeats += 1;
        let number = self.heartbeats;
        let phase = self.phase();
        let (side, least) = self.live_side(now);
        for (incarnation, peer) in self.peers.iter_mut().filter(|(_, peer)| peer.linked) {
            let mut member = false;
            if let Some(membership) = &mut peer.membership {
                membership.sent.push_back((number, now));
                if membership.sent.len() > SENT_MAX {
                    membership.sent.pop_front();
                }
                member = membership.leaving.is_none();
            }
            send(effects, *incarnation, &Heartbeat { number, phase, member, side, least: least.0 });
        }
    }

    /// Rules 4.9, 4.13 and 6.5.
    pub(crate) fn on_heartbeat(
        &mut self,
        from: Incarnation,
        beat: Heartbeat,
        now: Instant,
        effects: &mut Effects,
    ) {
        if self.barred.contains(&from) {
            send(effects, from, &Refused { reason: RefusedReason::Barred, by: self.settings.incarnation.0 });
            return;
        }
        let Some(peer) = self.peers.get_mut(&from) else { return };
        peer.phase = beat.phase;
        let is_member = peer.membership.is_some();
        planted!(self.settings, JOINER_NOT_AWAITED => note_serving(&self.settings, from, beat.phase.serves()));
        if beat.phase.serves() && self.compare_when_ready.remove(&from) {
            self.compare(from, false);
        }
        if !beat.member || !beat.phase.serves() {
            self.overruled.remove(&from);
        }
        if self.is_staying(from) {
            self.echo(from, beat.number, now, effects);
        } else if beat.member && (self.serves() || is_member || self.overruled.contains(&from)) {
            send(effects, from, &Out {});
        } else if !is_member {
            self.meet(from, beat, now, effects);
        }
    }

    /// Answers a member's heartbeat; grants it a lease only while this node has no reason to give it up.
    /// Rules 4.1 and 4.5.
    fn echo(&mut self, to: Incarnation, number: u64, now: Instant, effects: &mut Effects) {
        let window = planted!(self.settings.timing.grant_window() => granted_within(&self.settings));
        let stall = self.stalls.get(&to).copied().unwrap_or_default();
        let Some(member) = self.member(to) else { return };
        let grant = now.since(member.alive_at).max(stall) < window;
        if grant {
            member.granted_at = Some(now);
        }
        send(effects, to, &Echo { number, grant });
    }

    /// Two serving processes that are not in each other's view: two sides of a split met. The smaller side
    /// steps out; of equal sides that with the larger least incarnation. If one process is the least on both
    /// sides, the larger incarnation of the two that meet steps out. Rule 4.14.
    fn meet(&mut self, other: Incarnation, beat: Heartbeat, now: Instant, effects: &mut Effects) {
        if !self.serves() || !beat.phase.serves() {
            return;
        }
        let (side, least) = self.live_side(now);
        let mine = (least.0, self.settings.incarnation.0);
        let theirs_stays = beat.side > side || (beat.side == side && (beat.least, other.0) < mine);
        if theirs_stays {
            self.step_out(other, now, effects);
        }
    }

    /// Rules 2.5, 4.1 and 4.16.
    pub(crate) fn on_echo(&mut self, from: Incarnation, echo: Echo) {
        let window = self.settings.timing.grant_window();
        let lease_from = planted!(None => wrong_lease(&self.settings, self.ticked_at));
        let Some(member) = self.member(from) else { return };
        let Some(index) = member.sent.iter().position(|(number, _)| *number == echo.number) else { return };
        let sent_at = member.sent[index].1;
        member.sent.drain(..=index);
        // Frames that went the same way as the lost heartbeats are lost as well, and need not wait for their
        // timeout.
        let was_cut_off = sent_at.since(member.alive_at) >= window;
        member.alive_at = member.alive_at.max(sent_at);
        if echo.grant {
            member.leased_at = member.leased_at.max(lease_from.or(Some(sent_at)));
        }
        member.suspected = false;
        if was_cut_off {
            self.commands.push(ShardCommand::Resend(from));
        }
        // A joiner or an incomplete member cannot know whether others went on. A peer that was paused just as
        // long has no newer state: it has granted nothing since.
        let knows = matches!(self.phase_of(from), Phase::Ready | Phase::Draining);
        if echo.grant && knows && self.was_granted_by_all_since(self.resumed_at) {
            self.doubtful = false;
        }
    }

    fn was_granted_by_all_since(&self, time: Instant) -> bool {
        self.members().all(|(_, _, member)| member.leased_at.is_some_and(|at| at >= time))
    }

    /// Suspects members that do not answer, and removes them after the drop time. Rules 4.1 and 4.7.
    fn watch_members(&mut self, now: Instant, effects: &mut Effects) {
        let timing = &self.settings.timing;
        let (window, drop_time) = (timing.grant_window(), timing.drop_time);
        let mut removals = Vec::new();
        for (incarnation, peer) in &mut self.peers {
            let Some(member) = peer.membership.as_mut().filter(|member| member.leaving.is_none()) else {
                continue;
            };
            let silence = now.since(member.alive_at.max(self.resumed_at));
            let stall =
                self.stalls.get(incarnation).copied().unwrap_or_default().min(now.since(self.resumed_at));
            if silence.max(stall) >= window && !member.suspected {
                member.suspected = true;
                effects.event(Event::MemberSuspected { incarnation: *incarnation, name: peer.name.clone() });
            }
            if silence >= drop_time {
                removals.push((*incarnation, Removal::Silent));
            } else if stall >= drop_time {
                removals.push((*incarnation, Removal::NotAcknowledging));
            }
        }
        for (incarnation, cause) in removals {
            self.begin_removal(incarnation, cause, now, effects);
        }
    }

    /// Whether a process that this node knows serves.
    pub(super) fn phase_of(&self, incarnation: Incarnation) -> Phase {
        self.peers.get(&incarnation).map_or(Phase::Starting, |peer| peer.phase)
    }
}
