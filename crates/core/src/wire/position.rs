//! Where a frame stands in the order of one shard on one link.

use super::{KIND_BYTES, SEQUENCED};

/// Bytes of a position: shard, epoch, sequence.
pub(crate) const POSITION_BYTES: usize = 9;

/// A frame's position. Within an epoch the receiver takes sequence numbers without a gap; a sender that is
/// unsure what arrived begins a new epoch and sends copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Which shard's order.
    pub shard: u8,
    /// Which attempt; later ones have higher numbers.
    pub epoch: u32,
    /// Counts from zero in each epoch.
    pub sequence: u32,
}

impl Position {
    /// The position of a frame; `None` for frames that may arrive in any order. Frames that have one may
    /// overtake each other a little, as those on several connections do: the receiver puts them back into
    /// order.
    pub fn of(frame: &[u8]) -> Option<Self> {
        let (kind, body) = frame.split_first_chunk::<KIND_BYTES>()?;
        let has_place = SEQUENCED.contains(&u16::from_le_bytes(*kind));
        Self::read(body).filter(|_| has_place).map(|(position, _)| position)
    }

    /// Rule 1.8.
    pub(crate) fn write(self, out: &mut [u8]) {
        out[0] = self.shard;
        out[1..5].copy_from_slice(&self.epoch.to_le_bytes());
        out[5..9].copy_from_slice(&self.sequence.to_le_bytes());
    }

    /// Splits a place off; `None` when the bytes are too few or the shard does not exist. Rule 1.8.
    pub(crate) fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (head, body) = bytes.split_first_chunk::<POSITION_BYTES>()?;
        let [shard, e0, e1, e2, e3, s0, s1, s2, s3] = *head;
        let position = Self {
            shard,
            epoch: u32::from_le_bytes([e0, e1, e2, e3]),
            sequence: u32::from_le_bytes([s0, s1, s2, s3]),
        };
        (usize::from(shard) < crate::key::SHARDS).then_some((position, body))
    }
}
