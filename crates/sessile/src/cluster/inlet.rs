//! Frames of one process that come over several connections, put back into the order of their places.
//!
//! A frame that is ahead waits here for those before it, which are on their way over another connection. The wait is
//! bounded in frames, bytes and time; past a bound the frames are handed on as they are, and the core, which takes
//! that for a loss, has whole copies sent. With a single connection nothing ever waits: what is missing there is lost.
//!
//! Must not know what a frame says beyond its position.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use sessile_core::{Instant, Position};

/// Most frames of one process that wait.
const EARLY_FRAMES: usize = 1024;
/// Most bytes of one process that wait.
const EARLY_BYTES: usize = 16 << 20;

/// What happened to early frames, of all processes.
#[derive(Default)]
pub(crate) struct EarlyCounts {
    /// Frames that waited for one before them.
    pub(crate) held: AtomicU64,
    /// Frames that were handed on though one before them had not come.
    pub(crate) given_up: AtomicU64,
}

/// The frames of one process on their way into the core.
#[derive(Default)]
pub(crate) struct Inlet {
    /// More than one connection carries them.
    several: bool,
    early: BTreeMap<(u8, u32, u32), Early>,
    bytes: usize,
}

struct Early {
    frame: Bytes,
    came: Instant,
}

impl Inlet {
    /// From now on frames can overtake each other.
    pub(crate) fn expect_several(&mut self) {
        self.several = true;
    }

    /// Something waits for what has not come.
    pub(crate) fn has_early(&self) -> bool {
        !self.early.is_empty()
    }

    /// Passes `frame` on, and what waited for it, or keeps it while `is_ahead` says that one before it is missing.
    pub(crate) fn take<E>(
        &mut self,
        frame: &Bytes,
        now: Instant,
        counts: &EarlyCounts,
        is_ahead: impl Fn(Position) -> bool,
        mut pass_on: impl FnMut(&Bytes) -> Result<(), E>,
    ) -> Result<(), E> {
        let position = if self.several { Position::of(frame) } else { None };
        let Some(position) = position else { return pass_on(frame) };
        if is_ahead(position) {
            counts.held.fetch_add(1, Relaxed);
            self.bytes += frame.len();
            self.early.insert(key(position), Early { frame: frame.clone(), came: now });
            if self.early.len() <= EARLY_FRAMES && self.bytes <= EARLY_BYTES {
                return Ok(());
            }
            return self.pass_on_all(counts, pass_on);
        }
        pass_on(frame)?;
        while let Some(frame) = self.pop_next(position.shard, &is_ahead) {
            pass_on(&frame)?;
        }
        Ok(())
    }

    /// Gives up waiting when the oldest frame has waited for `limit`.
    pub(crate) fn give_up_late<E>(
        &mut self,
        limit: Duration,
        now: Instant,
        counts: &EarlyCounts,
        pass_on: impl FnMut(&Bytes) -> Result<(), E>,
    ) -> Result<(), E> {
        let is_late = self.early.values().any(|early| now.since(early.came) >= limit);
        if is_late { self.pass_on_all(counts, pass_on) } else { Ok(()) }
    }

    /// The first frame of the shard, if it is ahead no more.
    fn pop_next(&mut self, shard: u8, is_ahead: impl Fn(Position) -> bool) -> Option<Bytes> {
        let of_shard = (shard, 0, 0)..=(shard, u32::MAX, u32::MAX);
        let (&(shard, epoch, sequence), _) = self.early.range(of_shard).next()?;
        if is_ahead(Position { shard, epoch, sequence }) {
            return None;
        }
        let early = self.early.remove(&(shard, epoch, sequence))?;
        self.bytes -= early.frame.len();
        Some(early.frame)
    }

    fn pass_on_all<E>(
        &mut self,
        counts: &EarlyCounts,
        mut pass_on: impl FnMut(&Bytes) -> Result<(), E>,
    ) -> Result<(), E> {
        self.bytes = 0;
        let early = std::mem::take(&mut self.early);
        counts.given_up.fetch_add(early.len() as u64, Relaxed);
        early.values().try_for_each(|early| pass_on(&early.frame))
    }
}

fn key(position: Position) -> (u8, u32, u32) {
    (position.shard, position.epoch, position.sequence)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use sessile_core::Instant;

    use super::*;

    /// A receiver that takes the frames of each shard by their sequence, as the core does.
    #[derive(Default)]
    struct Taking {
        next: BTreeMap<u8, u32>,
        taken: Vec<(u8, u32)>,
        inlet: Inlet,
        counts: EarlyCounts,
    }

    impl Taking {
        fn several() -> Self {
            let mut taking = Self::default();
            taking.inlet.expect_several();
            taking
        }

        fn take(&mut self, shard: u8, sequence: u32, bytes: usize, now: Instant) {
            let Self { next, taken, inlet, counts } = self;
            let next = std::cell::RefCell::new(next);
            let frame = frame(shard, sequence, bytes);
            let is_ahead = |position: Position| {
                position.sequence > next.borrow().get(&position.shard).copied().unwrap_or(0)
            };
            let pass_on = |frame: &Bytes| -> Result<(), Infallible> {
                let position = Position::of(frame).unwrap();
                next.borrow_mut().insert(position.shard, position.sequence + 1);
                taken.push((position.shard, position.sequence));
                Ok(())
            };
            inlet.take(&frame, now, counts, is_ahead, pass_on).unwrap();
        }
    }

    /// An end, of which only the place matters here.
    fn frame(shard: u8, sequence: u32, bytes: usize) -> Bytes {
        let mut frame = vec![42, 0, shard];
        frame.extend(1_u32.to_le_bytes());
        frame.extend(sequence.to_le_bytes());
        frame.resize(bytes.max(frame.len()), 0);
        frame.into()
    }

    #[test]
    fn frames_that_overtook_others_wait_for_them_and_hold_up_no_other_shard() {
        let mut taking = Taking::several();
        for (shard, sequence) in [(0, 2), (1, 0), (0, 1), (1, 1), (0, 0), (0, 3)] {
            taking.take(shard, sequence, 0, Instant::ORIGIN);
        }
        assert_eq!(taking.taken, [(1, 0), (1, 1), (0, 0), (0, 1), (0, 2), (0, 3)]);
        assert!(!taking.inlet.has_early());
        assert_eq!((taking.counts.held.into_inner(), taking.counts.given_up.into_inner()), (2, 0));
    }

    #[test]
    fn on_one_connection_nothing_waits() {
        let mut taking = Taking::default();
        taking.take(0, 5, 0, Instant::ORIGIN);
        assert_eq!(taking.taken, [(0, 5)]);
    }

    #[test]
    fn the_wait_is_bounded_in_frames_and_in_bytes() {
        for (bytes, most) in [(0, EARLY_FRAMES), (1 << 20, EARLY_BYTES >> 20)] {
            let mut taking = Taking::several();
            for sequence in 1..=most as u32 {
                taking.take(0, sequence, bytes, Instant::ORIGIN);
            }
            assert_eq!(taking.taken, []);
            taking.take(0, most as u32 + 1, bytes, Instant::ORIGIN);
            assert_eq!(taking.taken.len(), most + 1, "all go on in their order");
            assert!(taking.taken.is_sorted() && !taking.inlet.has_early());
            assert_eq!(taking.inlet.bytes, 0);
        }
    }

    #[test]
    fn the_wait_is_bounded_in_time() {
        let mut taking = Taking::several();
        let limit = Duration::from_secs(1);
        taking.take(0, 1, 0, Instant::ORIGIN);
        let mut give_up = |after: Duration| {
            let mut given_up = 0;
            let pass_on = |_: &Bytes| -> Result<(), Infallible> {
                given_up += 1;
                Ok(())
            };
            let now = Instant::ORIGIN.plus(after);
            taking.inlet.give_up_late(limit, now, &taking.counts, pass_on).unwrap();
            given_up
        };
        assert_eq!(give_up(limit / 2), 0);
        assert_eq!(give_up(limit), 1);
        assert_eq!(give_up(limit), 0);
    }
}
