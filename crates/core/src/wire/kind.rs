//! The kind of a frame, for counters.

use super::{COPIES, DELTA, END, KIND_BYTES, MESSAGE, SNAPSHOT};

/// The kind of a frame. Frames that this version cannot read are of one kind: `unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameKind(usize);

/// Every kind that has a number, and `unknown` at the end.
const KINDS: [(u16, &str); 25] = [
    (1, "heartbeat"),
    (2, "echo"),
    (3, "join"),
    (4, "included"),
    (5, "refused"),
    (6, "leave"),
    (7, "removed"),
    (8, "adopted"),
    (9, "out"),
    (20, "touch"),
    (21, "ack"),
    (22, "gap"),
    (23, "ask"),
    (24, "answer"),
    (30, "digest"),
    (31, "listing"),
    (32, "want"),
    (33, "synced"),
    (34, "not_donor"),
    (DELTA, "delta"),
    (SNAPSHOT, "snapshot"),
    (END, "end"),
    (COPIES, "copies"),
    (MESSAGE, "message"),
    (u16::MAX, "unknown"),
];

impl FrameKind {
    /// How many kinds there are.
    pub const COUNT: usize = KINDS.len();

    /// The kind that `frame` says it is of. Rule 12.5.
    pub fn of(frame: &[u8]) -> Self {
        let number = frame.first_chunk::<KIND_BYTES>().map(|kind| u16::from_le_bytes(*kind));
        let known = KINDS.iter().position(|(known, _)| Some(*known) == number);
        Self(known.unwrap_or(Self::COUNT - 1))
    }

    /// All kinds, in the order of their [`index`](Self::index).
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    /// Its place in a table of [`COUNT`](Self::COUNT) counters.
    pub fn index(self) -> usize {
        self.0
    }

    /// Its name, in lower case.
    pub fn name(self) -> &'static str {
        KINDS[self.0].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Gap, MembershipFrame, ShardFrame, encode};

    #[test]
    fn every_kind_without_a_position_has_a_name() {
        for number in MembershipFrame::NUMBERS.iter().chain(ShardFrame::NUMBERS) {
            assert_ne!(FrameKind::of(&number.to_le_bytes()).name(), "unknown", "kind {number}");
        }
    }

    #[test]
    fn frames_are_told_apart() {
        assert_eq!(FrameKind::of(&encode(&Gap { shard: 1, epoch: 2 })).name(), "gap");
        assert_eq!(FrameKind::of(&[0xFE, 0xFF, 1]).name(), "unknown");
        assert_eq!(FrameKind::of(&[1]).name(), "unknown");
        assert!(FrameKind::all().enumerate().all(|(index, kind)| kind.index() == index));
    }
}
