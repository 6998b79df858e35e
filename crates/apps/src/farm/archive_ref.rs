//! References to archives, by the digest of their content.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::archive::ArchiveName;

/// BLAKE3 digest of an archive. As text it is exactly 64 hex digits in lower case, because it becomes a file
/// name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Digest([u8; 32]);

/// A reference to an archive that nodes can fetch from each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ArchiveRef {
    /// The archive's name, which gives the mount path.
    pub(crate) name: ArchiveName,
    /// Its content.
    pub(crate) digest: Digest,
    /// How large it is.
    pub(crate) bytes: u64,
}

impl Digest {
    /// The digest of these bytes.
    #[must_use]
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The encoded form.
    #[must_use]
    pub(crate) const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl TryFrom<String> for Digest {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_plain = text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        let read = is_plain.then(|| blake3::Hash::from_hex(&text).ok()).flatten();
        read.map(|hash| Self(*hash.as_bytes())).ok_or("not a digest of 64 hex digits in lower case")
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex()[..12])
    }
}
