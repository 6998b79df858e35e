//! Errors of stores, which name the input, the place and the remedy.

use std::error::Error;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::key::Key;

/// An invalid part of a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedRecord {
    /// An invalid key.
    #[error("a session's key has 16 bytes, or 32 hexadecimal digits")]
    Key,
    /// A version that is too long.
    #[error("a version has at most 64 bytes, not {0}")]
    RecordVersion(usize),
    /// An invalid application name; its first characters.
    #[error("{0:?} cannot name an application: at most 255 bytes without control characters")]
    App(String),
    /// RecordContent that is too long.
    #[error("a session of {0} bytes cannot be stored: at most 16 MiB (`[session] max_session_bytes`)")]
    Content(usize),
}

/// A damaged record, which was quarantined so that it harms no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedRecord {
    /// The session, if the key is still readable.
    pub key: Option<Key>,
    /// Where its bytes are now: a file, or a table and row, for inspection.
    pub place: String,
    /// The problem.
    pub cause: String,
}

impl std::fmt::Display for DamagedRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.key {
            // As logs and admin pages write keys.
            Some(key) => write!(f, "the stored session {}", URL_SAFE_NO_PAD.encode(key.0))?,
            None => f.write_str("a stored session with an unreadable key")?,
        }
        write!(f, " is damaged: {}; its bytes are in {}", self.cause, self.place)
    }
}

/// Why a call to a store failed. A failed call changed nothing, unless the variant says that this is unknown.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached, is too slow or too busy. Retrying later may help; a save may or may not
    /// have taken effect, and repeating it is harmless.
    #[error("the {store} store does not answer: {cause}")]
    Unavailable {
        /// The store: its kind and address or path, without any password.
        store: String,
        /// The cause.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// The store is full. Saving again helps once there is room.
    #[error("the {store} store is full: {cause}")]
    Full {
        /// Which store.
        store: String,
        /// The reached limit, and how to raise it.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// One record is damaged. It was quarantined; the next load does not find the session.
    #[error("{0}")]
    Damaged(DamagedRecord),
    /// One record cannot be decrypted with the keys of this store: a key is missing, or it was stored without
    /// encryption. It stays as it is, and all others are readable.
    #[error("the {store} store: {cause}")]
    Undecryptable {
        /// Which store.
        store: String,
        /// The session, what is missing, and the remedy.
        cause: String,
    },
    /// A permanent failure: a wrong password, a missing permission.
    #[error("the {store} store cannot be used: {cause}")]
    Unusable {
        /// Which store.
        store: String,
        /// The problem and the remedy.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// The store was closed.
    #[error("the {store} store is closed")]
    Closed {
        /// Which store.
        store: String,
    },
}

impl StoreError {
    /// Whether the same call may succeed later without a change of the configuration.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Full { .. })
    }

    /// Whether another process uses the folder or file, which allows only one process at a time.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        let Self::Unusable { cause, .. } = self else { return false };
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::ResourceBusy)
    }

    /// Creates [`Unavailable`](Self::Unavailable).
    pub fn unavailable(store: &str, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable { store: store.into(), cause: cause.into() }
    }

    /// Creates [`Full`](Self::Full).
    pub fn full(store: &str, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Full { store: store.into(), cause: cause.into() }
    }

    /// Creates [`Unusable`](Self::Unusable).
    pub fn unusable(store: &str, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unusable { store: store.into(), cause: cause.into() }
    }
}
