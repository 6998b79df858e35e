//! Which of two copies of one session knows more.

use std::fmt;

/// Rises whenever a session's content changes, by a write or by merging another copy; copies of one version
/// are equal.
///
/// For stores, which keep the greatest: of two copies that were written apart the loser is merged with the
/// winner, and the result is greater than both. It is compared byte by byte: `clock`, then the sums of the
/// counters and of the writers of all fields. Merging keeps the greater timestamp of each field, so no sum
/// ever falls, and when all are equal so are all timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub [u8; Version::BYTES]);

impl Version {
    /// Its length.
    pub const BYTES: usize = 32;

    /// Rule 11.5.
    pub(crate) fn of(clock: u64, counters: u128, writers: u64) -> Self {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&clock.to_be_bytes());
        bytes[8..24].copy_from_slice(&counters.to_be_bytes());
        bytes[24..].copy_from_slice(&writers.to_be_bytes());
        Self(bytes)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
