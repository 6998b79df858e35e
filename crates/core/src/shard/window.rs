//! How many bytes of copies may be on the way from one shard to one member, beside changes (rule 2.10).
//!
//! A change that is committed while a member gets the state goes behind what is on the way to it, and its
//! response waits that long. So the window follows the delay and not the loss, as LEDBAT does (RFC 6817): as
//! long as acknowledgements come nearly as fast as the fastest of them, more is sent; when they take longer
//! than that, less. Over a long distance the fastest is slow, and the window grows all the same.
//!
//! Must not know what is sent.

use std::time::Duration;

use crate::Instant;

/// The smallest and the largest window. Something is sent in any case when nothing is on the way.
const BYTES_MIN: usize = 8 * 1024;
const BYTES_MAX: usize = 128 * 1024;

/// How much longer than the fastest acknowledgement one may take; or half as long again, if that is more:
/// copies leave in bursts, and a change waits for the way itself in any case.
const TARGET: Duration = Duration::from_micros(300);

/// The fastest acknowledgement is forgotten after at most twice this time: the way may have become longer.
const FASTEST_FOR: Duration = Duration::from_secs(10);

/// One shard's window towards one member.
#[derive(Debug)]
pub(super) struct Window {
    bytes: usize,
    fastest: Option<Duration>,
    /// The fastest since `renewed_at`.
    recent: Option<Duration>,
    renewed_at: Instant,
    /// Frames sent earlier tell about the window before.
    shrunk_at: Instant,
}

impl Window {
    pub(super) fn new(now: Instant) -> Self {
        Self { bytes: BYTES_MIN, fastest: None, recent: None, renewed_at: now, shrunk_at: now }
    }

    pub(super) fn has_room(&self, in_flight: usize) -> bool {
        in_flight < self.bytes
    }

    /// Frames of this many bytes were acknowledged. The last of them was sent at `sent_at`.
    pub(super) fn acknowledged(&mut self, bytes: usize, sent_at: Instant, now: Instant) {
        let took = now.since(sent_at);
        let fastest = self.fastest_with(took, now);
        if took <= fastest + TARGET.max(fastest / 2) {
            self.bytes = (self.bytes + bytes).min(BYTES_MAX);
        } else if sent_at >= self.shrunk_at {
            self.bytes = (self.bytes / 2).max(BYTES_MIN);
            self.shrunk_at = now;
        }
    }

    fn fastest_with(&mut self, took: Duration, now: Instant) -> Duration {
        if now.since(self.renewed_at) >= FASTEST_FOR {
            self.fastest = self.recent.take();
            self.renewed_at = now;
        }
        let faster = |known: Option<Duration>| known.map_or(took, |known| known.min(took));
        self.recent = Some(faster(self.recent));
        let fastest = faster(self.fastest);
        self.fastest = Some(fastest);
        fastest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECE: usize = 1_100;

    /// A way that carries so many bytes a millisecond, after a delay: how much is on it, and for how long the
    /// last byte was, once this has settled.
    fn settled(bytes_per_ms: usize, delay_ms: u64) -> (usize, Duration) {
        let start = Instant::ORIGIN.plus(Duration::from_secs(1));
        let mut window = Window::new(start);
        let (mut now, mut arrives_at, mut in_flight) = (start, start, 0);
        let mut on_the_way = std::collections::VecDeque::new();
        let mut last = Duration::ZERO;
        for _ in 0..50_000 {
            while window.has_room(in_flight) {
                in_flight += PIECE;
                let carried = Duration::from_micros((PIECE * 1_000 / bytes_per_ms) as u64);
                arrives_at = arrives_at.max(now).plus(carried);
                on_the_way.push_back((now, arrives_at.plus(Duration::from_millis(delay_ms))));
            }
            let (sent_at, back_at) = on_the_way.pop_front().unwrap();
            now = now.max(back_at);
            in_flight -= PIECE;
            last = now.since(sent_at);
            window.acknowledged(PIECE, sent_at, now);
        }
        (window.bytes, last)
    }

    #[test]
    fn a_change_waits_little_behind_copies_on_a_near_way() {
        for bytes_per_ms in [12_000, 60_000] {
            let (window, delay) = settled(bytes_per_ms, 0);
            assert!(
                delay <= TARGET * 3,
                "{delay:?} at {bytes_per_ms} bytes a millisecond, with {window} bytes"
            );
        }
    }

    #[test]
    fn a_long_way_gets_all_that_it_needs() {
        let (window, _) = settled(12_000, 50);
        assert_eq!(window, BYTES_MAX);
    }

    #[test]
    fn a_way_that_became_longer_is_not_starved() {
        let start = Instant::ORIGIN;
        let mut window = Window::new(start);
        window.acknowledged(PIECE, start, start.plus(Duration::from_micros(300)));
        let mut now = start;
        for _ in 0..1_000 {
            let sent_at = now;
            now = now.plus(Duration::from_millis(30));
            window.acknowledged(PIECE, sent_at, now);
        }
        assert_eq!(window.bytes, BYTES_MAX, "what was fast once is forgotten");
    }

    #[test]
    fn it_never_closes() {
        let mut window = Window::new(Instant::ORIGIN);
        let mut now = Instant::ORIGIN.plus(Duration::from_millis(1));
        window.acknowledged(PIECE, Instant::ORIGIN, now);
        for _ in 0..100 {
            let sent_at = now;
            now = now.plus(Duration::from_millis(100));
            window.acknowledged(0, sent_at, now);
        }
        assert!(window.has_room(0));
        assert_eq!(window.bytes, BYTES_MIN);
    }
}
