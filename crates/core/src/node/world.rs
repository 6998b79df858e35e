//! What the network and the clock bring.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::MutexGuard;

use crate::node::Node;
use crate::roster::{Order, Roster, Standing};
use crate::shard::{News, SHARDS, Shard};
use crate::wire::{self, Ack, Control, Frame, Malformed, Placed};
use crate::{Boot, Effect, Event, Instant, Place, SessionKey};

/// A process at the other end of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// The process.
    pub boot: Boot,
    /// Its node name.
    pub name: String,
}

impl Node {
    /// Frames can be sent to this process from now on.
    pub fn link_up(&self, peer: &PeerInfo, now: Instant, fx: &mut Vec<Effect>) {
        let mut roster = self.roster(now, fx);
        roster.link_up(peer.boot, &peer.name, now, fx);
        self.carry_out(&mut roster, now, fx);
    }

    /// The link is down; what was on the way may be lost.
    pub fn link_down(&self, boot: Boot, now: Instant, fx: &mut Vec<Effect>) {
        let mut roster = self.roster(now, fx);
        roster.link_down(boot);
        self.carry_out(&mut roster, now, fx);
    }

    /// This process is proven to exist no more: it need not be waited for.
    pub fn gone(&self, boot: Boot, now: Instant, fx: &mut Vec<Effect>) {
        let mut roster = self.roster(now, fx);
        roster.gone(boot, now, fx);
        self.carry_out(&mut roster, now, fx);
    }

    /// The initial search is over. Whoever is not linked by now is not waited for; with nobody linked this
    /// node begins the cluster.
    pub fn searched(&self, now: Instant, fx: &mut Vec<Effect>) {
        let mut roster = self.roster(now, fx);
        roster.searched(now, fx);
        self.carry_out(&mut roster, now, fx);
    }

    /// Time passed: to be called every [`Timing::tick`](crate::Timing::tick).
    pub fn tick(&self, now: Instant, fx: &mut Vec<Effect>) {
        let mut roster = self.roster(now, fx);
        let mut stalls: BTreeMap<Boot, Duration> = BTreeMap::new();
        for shard in &self.shards {
            for (boot, stall) in shard.lock().stalls(now) {
                let worst = stalls.entry(boot).or_default();
                *worst = stall.max(*worst);
            }
        }
        roster.tick(stalls, now, fx);
        self.carry_out(&mut roster, now, fx);
        drop(roster);
        let mut late = BTreeSet::new();
        for number in 0..SHARDS as u8 {
            self.in_shard(number, now, fx, |shard, fx| late.append(&mut shard.tick(now, fx)));
        }
        let after = self.settings.timing.ack_timeout;
        fx.extend(late.into_iter().map(|by| Effect::Event(Event::AckLate { by, after })));
    }

    /// From now on balancers should not choose this node; it goes on serving and replicating.
    pub fn drain(&self, now: Instant, fx: &mut Vec<Effect>) {
        let mut roster = self.roster(now, fx);
        if roster.serves() {
            roster.standing = Standing::Draining;
        }
        self.carry_out(&mut roster, now, fx);
    }

    /// Compares all sessions with every member now, as after the loss of one; what differs is sent as copies. Gives the
    /// members; [`comparing`](Self::comparing) says when it is over. Nobody, while this node is not complete.
    pub fn compare_again(&self, now: Instant, fx: &mut Vec<Effect>) -> Vec<Boot> {
        let mut roster = self.roster(now, fx);
        let members = roster.compare_again();
        self.carry_out(&mut roster, now, fx);
        members
    }

    /// Leaves at once. The caller drained and saw that [`debts`](Self::debts) is empty, or gave up.
    pub fn leave(&self, now: Instant, fx: &mut Vec<Effect>) {
        let mut roster = self.roster(now, fx);
        roster.leave(fx);
        self.carry_out(&mut roster, now, fx);
    }

    /// One whole frame from a linked process. A kind that this version does not know is skipped.
    ///
    /// # Errors
    /// [`Malformed`] when the frame cannot be read; nothing was changed.
    pub fn received(
        &self,
        from: Boot,
        frame: &Bytes,
        now: Instant,
        fx: &mut Vec<Effect>,
    ) -> Result<(), Malformed> {
        match wire::decode(frame)? {
            Some(Frame::Placed(place, body)) => {
                if matches!(body, Placed::Unknown) {
                    self.frames_skipped.fetch_add(1, Ordering::Relaxed);
                }
                let shard = &self.shards[usize::from(place.shard)];
                shard.lock().on_placed(from, place, body, frame, now, fx);
            }
            Some(Frame::Control(body)) => self.control(from, body, frame, now, fx),
            None => {
                self.frames_skipped.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    /// Whether a frame of `from` at this place would tear a gap now: one that came over another connection, and
    /// earlier than what was sent before it, is better handed to [`received`](Self::received) a little later.
    pub fn is_ahead(&self, from: Boot, place: Place) -> bool {
        let shard = self.shards.get(usize::from(place.shard));
        shard.is_some_and(|shard| shard.lock().is_ahead(from, place))
    }

    /// Acknowledges everything received from this process since the last call, in one frame: to be called
    /// after each batch of `received`.
    pub fn acknowledge(&self, from: Boot, fx: &mut Vec<Effect>) {
        let lines: Vec<_> = self.shards.iter().filter_map(|shard| shard.lock().take_ack(from)).collect();
        if !lines.is_empty() {
            fx.push(Effect::Send { to: from, frame: wire::encode(&Ack { lines }) });
        }
    }

    fn control(&self, from: Boot, body: Control<'_>, frame: &Bytes, now: Instant, fx: &mut Vec<Effect>) {
        match body {
            Control::Touch(touch) => self.shard(SessionKey(touch.key)).lock().on_touch(from, &touch, now),
            Control::Ask(ask) => self.shard(SessionKey(ask.key)).lock().on_ask(from, &ask, now, fx),
            Control::Answer(answer) => {
                self.shard(SessionKey(answer.key)).lock().on_answer(from, &answer, frame, now, fx);
            }
            Control::Ack(ack) => {
                for line in &ack.lines {
                    self.in_shard(line.shard, now, fx, |shard, fx| shard.on_ack(from, line, now, fx));
                }
            }
            Control::Gap(gap) => {
                self.in_shard(gap.shard, now, fx, |shard, fx| shard.on_gap(from, gap.epoch, now, fx))
            }
            Control::Digest(digest) => {
                self.in_shard(digest.shard, now, fx, |shard, fx| shard.on_digest(from, &digest, now, fx))
            }
            Control::Listing(listing) => {
                self.in_shard(listing.shard, now, fx, |shard, fx| shard.on_listing(from, listing, now, fx))
            }
            Control::Want(want) => {
                self.in_shard(want.shard, now, fx, |shard, fx| shard.on_want(from, &want, now, fx))
            }
            Control::Paid(paid) => {
                self.in_shard(paid.shard, now, fx, |shard, fx| shard.on_paid(from, &paid, now, fx))
            }
            Control::NotDonor(refusal) => {
                self.in_shard(refusal.shard, now, fx, |shard, _| shard.on_not_donor(from, refusal))
            }
            about_members => self.membership(from, about_members, now, fx),
        }
    }

    fn membership(&self, from: Boot, body: Control<'_>, now: Instant, fx: &mut Vec<Effect>) {
        let mut roster = self.roster(now, fx);
        roster.heard(from, now);
        match body {
            Control::Heartbeat(beat) => roster.on_heartbeat(from, beat, now, fx),
            Control::Echo(echo) => roster.on_echo(from, echo),
            Control::Join(join) => roster.on_join(from, &join, now, fx),
            Control::Included(included) => roster.on_included(from, included, now, fx),
            Control::Refused(refused) => roster.on_refused(refused, fx),
            Control::Leave(_) => roster.on_leave(from, now, fx),
            Control::Removed(removed) => roster.on_removed(from, removed, now, fx),
            Control::Adopted(adopted) => roster.on_adopted(from, adopted, now, fx),
            Control::Out(out) => roster.on_out(from, out, now, fx),
            _ => unreachable!("every other kind is a shard's, see `control`"),
        }
        self.carry_out(&mut roster, now, fx);
    }

    /// Runs something in a shard and tells the roster what came of it.
    fn in_shard(
        &self,
        number: u8,
        now: Instant,
        fx: &mut Vec<Effect>,
        run: impl FnOnce(&mut Shard, &mut Vec<Effect>),
    ) {
        let Some(shard) = self.shards.get(usize::from(number)) else { return };
        let mut shard = shard.lock();
        run(&mut shard, fx);
        let news = std::mem::take(&mut shard.news);
        drop(shard);
        if news.is_empty() {
            return;
        }
        let sessions = self.session_count(None);
        let mut roster = self.roster(now, fx);
        for news in news {
            match news {
                News::Compared(with) => roster.compared(with, sessions, now, fx),
                News::Refused(by) => roster.not_donor(by, now, fx),
            }
        }
        self.carry_out(&mut roster, now, fx);
    }

    /// The roster, which first notices whether this process had been stopped.
    fn roster(&self, now: Instant, fx: &mut Vec<Effect>) -> MutexGuard<'_, Roster> {
        let mut roster = self.roster.lock();
        roster.notice_own_pause(now, fx);
        roster
    }

    /// Carries out what the roster ordered, under its lock: orders reach all shards in one order.
    fn carry_out(&self, roster: &mut Roster, now: Instant, fx: &mut Vec<Effect>) {
        for order in std::mem::take(&mut roster.orders) {
            for number in 0..SHARDS {
                order_shard(&mut self.shards[number].lock(), order, now, fx);
            }
        }
        self.publish(roster);
        roster.watch_gate(now, fx);
    }
}

fn order_shard(shard: &mut Shard, order: Order, now: Instant, fx: &mut Vec<Effect>) {
    match order {
        Order::Add(boot) => shard.add_member(boot, now, fx),
        Order::Remove { boot, clean } => {
            shard.remove_member(boot, clean, now, fx);
            if !clean {
                shard.speak_for(boot, now, fx);
            }
        }
        Order::RemoveAll => shard.remove_all(now, fx),
        Order::Linked { boot, linked } => shard.set_linked(boot, linked, now, fx),
        Order::Resend(boot) => shard.resend(boot, now, fx),
        Order::Compare { with, joining } => shard.compare(with, joining, now, fx),
        Order::MemberReady(boot) => shard.member_ready(boot),
        Order::TakeLead => shard.take_lead(now, fx),
    }
}
