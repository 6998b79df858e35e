//! One member as one shard sees it: what is on the way to it, what waits to be sent, and what came from it.

use std::time::Duration;

use crate::shard::arrivals::Arrivals;
use crate::shard::backlog::CopyBacklog;
use crate::shard::in_flight::{Carried, InFlight, SentFrame, Watermark};
use crate::wire::Position;
use crate::{Instant, SessionKey, Ticket};

/// The replication stream between one shard and one member, in both directions.
#[derive(Debug)]
pub(crate) struct PeerStream {
    /// Frames can be sent.
    pub(crate) linked: bool,
    /// The link did not take a frame: nothing is tried until the next tick.
    paused: bool,
    /// Several copies may go in one frame: the member has not refused such a frame as unknown (rule 2.8).
    pub(crate) takes_several: bool,
    pub(crate) in_flight: InFlight,
    pub(crate) backlog: CopyBacklog,
    pub(crate) arrivals: Arrivals,
}

impl PeerStream {
    /// `epoch` is above every one that this process used towards the member before.
    pub(crate) fn new(epoch: u32, now: Instant) -> Self {
        Self {
            linked: true,
            paused: false,
            takes_several: true,
            in_flight: InFlight::new(epoch, now),
            backlog: CopyBacklog::default(),
            arrivals: Arrivals::default(),
        }
    }

    /// Changes are sent as they are committed; otherwise copies of their sessions go later (rule 2.11).
    pub(crate) fn has_room(&self, bytes_max: usize) -> bool {
        self.linked && !self.paused && self.in_flight.bytes() < bytes_max
    }

    /// A copy of the backlog may be sent now (rule 2.10).
    pub(crate) fn has_window(&self) -> bool {
        self.linked && !self.paused && self.in_flight.has_window()
    }

    /// Something of the backlog may be sent now.
    pub(crate) fn may_send_copies(&self) -> bool {
        !self.backlog.is_empty() && self.has_window()
    }

    /// Gives a frame its position, and remembers it until it is acknowledged.
    pub(crate) fn push(
        &mut self,
        shard: u8,
        carried: Carried,
        bytes: usize,
        waiters: Vec<Ticket>,
        now: Instant,
    ) -> Position {
        if self.in_flight.is_exhausted() {
            self.restart();
        }
        self.in_flight.push(shard, carried, bytes, waiters, now)
    }

    /// The link did not take the newest frame: what it carries is in the backlog again, and nothing is sent
    /// until [`resume`](Self::resume).
    pub(crate) fn take_back(&mut self) {
        self.paused = true;
        if let Some(frame) = self.in_flight.take_back() {
            self.add_to_backlog(frame);
        }
    }

    /// The same for a frame that no link can carry. It pauses nothing, and the member needs copies of its
    /// sessions.
    pub(crate) fn take_back_too_long(&mut self) -> Option<SentFrame> {
        let frame = self.in_flight.take_back()?;
        self.backlog.add_without_copy(frame.carried.keys());
        Some(frame)
    }

    /// The link may take frames again.
    pub(crate) fn resume(&mut self) {
        self.paused = false;
    }

    /// It is unknown which frames arrived: everything on the way goes into the backlog, and a new epoch
    /// begins (rule 2.5).
    pub(crate) fn restart(&mut self) {
        self.begin_epoch(InFlight::restart);
    }

    /// The same because nothing was acknowledged for long.
    pub(crate) fn retry(&mut self, now: Instant) {
        self.begin_epoch(|in_flight| in_flight.retry(now));
    }

    fn begin_epoch<F>(&mut self, give_up: impl FnOnce(&mut InFlight) -> F)
    where
        F: IntoIterator<Item = SentFrame>,
    {
        self.backlog.give_up_change(self.in_flight.bytes());
        give_up(&mut self.in_flight).into_iter().for_each(|frame| self.add_to_backlog(frame));
    }

    /// Copies go in place of a frame.
    fn add_to_backlog(&mut self, frame: SentFrame) {
        let mut waiters = frame.waiters;
        for key in frame.carried.keys() {
            self.backlog.add(*key, std::mem::take(&mut waiters));
        }
    }

    /// The member may lack something of this session.
    pub(crate) fn lacks(&self, key: SessionKey) -> bool {
        self.backlog.needs_copy(key) || self.in_flight.carries(key)
    }

    /// The sessions by name of which the member may lack something.
    pub(crate) fn unconfirmed(&self) -> impl Iterator<Item = SessionKey> {
        self.in_flight.keys().chain(self.backlog.keys())
    }

    /// Bytes of changes that the member has not confirmed: those on the way, and roughly those given up for
    /// copies.
    pub(crate) fn unconfirmed_bytes(&self) -> usize {
        self.in_flight.bytes().saturating_add(self.backlog.bytes())
    }

    /// Whether the member has acknowledged all that was to be sent to it when this was asked first. What was
    /// committed since may be on the way.
    pub(crate) fn has_acknowledged(&self, watermark: &mut Watermark) -> bool {
        self.in_flight.has_reached(watermark, self.backlog.is_empty())
    }

    /// How long the member has acknowledged nothing although something is on the way to it.
    pub(crate) fn stalled_for(&self, now: Instant) -> Duration {
        self.in_flight.stalled_for(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::AckLine;

    const KEY: SessionKey = SessionKey([1; 16]);

    fn send(stream: &mut PeerStream, waiters: Vec<Ticket>) {
        stream.push(0, Carried::One(KEY), 1, waiters, Instant::ORIGIN);
    }

    fn acknowledge(stream: &mut PeerStream, epoch: u32, next: u32) {
        let line = AckLine { shard: 0, epoch, first: 0, next, exceptions: Vec::new() };
        assert!(stream.in_flight.acknowledge(&line, Instant::ORIGIN).is_some());
    }

    #[test]
    fn the_backlog_is_acknowledged_though_changes_go_on() {
        let (mut stream, mut watermark) = (PeerStream::new(1, Instant::ORIGIN), Watermark::default());
        send(&mut stream, Vec::new());
        assert!(!stream.has_acknowledged(&mut watermark));
        send(&mut stream, Vec::new());
        acknowledge(&mut stream, 1, 1);
        assert!(stream.has_acknowledged(&mut watermark), "the other one was sent later");
        stream.restart();
        assert!(!stream.has_acknowledged(&mut watermark), "all that is on the way has to be sent again");
        assert_eq!(stream.backlog.take(KEY), []);
        send(&mut stream, Vec::new());
        assert!(!stream.has_acknowledged(&mut watermark));
        acknowledge(&mut stream, 2, 1);
        assert!(stream.has_acknowledged(&mut watermark));
    }

    #[test]
    fn a_frame_that_the_link_does_not_take_becomes_a_copy_after_a_pause() {
        let mut stream = PeerStream::new(1, Instant::ORIGIN);
        send(&mut stream, vec![Ticket(1)]);
        stream.take_back();
        assert!(!stream.has_room(9) && !stream.has_window() && stream.in_flight.is_empty());
        stream.resume();
        assert!(stream.has_room(9) && stream.has_window());
        assert_eq!(stream.backlog.take(KEY), [Ticket(1)]);
    }

    #[test]
    fn a_frame_that_no_link_carries_is_not_tried_again() {
        let mut stream = PeerStream::new(1, Instant::ORIGIN);
        send(&mut stream, vec![Ticket(1)]);
        assert_eq!(stream.take_back_too_long().unwrap().waiters, [Ticket(1)]);
        assert!(stream.has_window() && stream.backlog.is_empty() && stream.lacks(KEY));
    }

    #[test]
    fn a_new_epoch_turns_frames_into_copies_and_keeps_those_who_wait() {
        let mut stream = PeerStream::new(1, Instant::ORIGIN);
        send(&mut stream, vec![Ticket(1)]);
        send(&mut stream, vec![Ticket(2)]);
        stream.restart();
        assert!(stream.backlog.needs_copy(KEY) && !stream.in_flight.carries(KEY));
        assert_eq!(stream.unconfirmed_bytes(), 2, "of changes that are given up");
        assert_eq!(stream.backlog.take(KEY), [Ticket(1), Ticket(2)]);
        assert!(!stream.lacks(KEY));
    }
}
