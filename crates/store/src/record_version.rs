//! The order of the versions of one session.

use std::fmt;

use bytes::Bytes;

use crate::error::Malformed;

/// Which of two versions of one session is the newer one: opaque bytes, compared one after the other, a prefix
/// before what it begins.
///
/// Whoever saves builds it so that a version that has seen another one is greater, for instance a counter in big
/// endian and then the writer. Two versions with equal versions are the same content.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordVersion(Bytes);

impl RecordVersion {
    /// The longest version in bytes.
    pub const LIMIT: usize = 64;

    /// Takes the bytes.
    ///
    /// # Errors
    /// There are more than [`LIMIT`](Self::LIMIT).
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, Malformed> {
        let bytes = bytes.into();
        if bytes.len() > Self::LIMIT { Err(Malformed::RecordVersion(bytes.len())) } else { Ok(Self(bytes)) }
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
