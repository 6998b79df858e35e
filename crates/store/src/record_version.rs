//! The order of the versions of one session.

use std::fmt;

use bytes::Bytes;

use crate::error::MalformedRecord;

/// Orders the versions of one session: opaque bytes in lexicographic order.
///
/// The saving node must build it so that a later version is greater than every version that it has seen, for
/// example as a big-endian counter followed by the writer. Records with equal versions have equal content.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordVersion(Bytes);

impl RecordVersion {
    /// The longest version in bytes.
    pub const LIMIT: usize = 64;

    /// Takes the bytes.
    ///
    /// # Errors
    /// There are more than [`LIMIT`](Self::LIMIT).
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, MalformedRecord> {
        let bytes = bytes.into();
        if bytes.len() > Self::LIMIT {
            Err(MalformedRecord::RecordVersion(bytes.len()))
        } else {
            Ok(Self(bytes))
        }
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for RecordVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordVersion({self})")
    }
}

impl fmt::Display for RecordVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
