//! What can go wrong, in words that name the input, the place and the remedy.

use std::error::Error;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::key::Key;

/// A part of a record that no store takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// No key.
    #[error("a session's key has 16 bytes, or 32 hexadecimal digits")]
    Key,
    /// A version that is too long.
    #[error("a version has at most 64 bytes, not {0}")]
    RecordVersion(usize),
    /// No name of an application; its first characters.
    #[error("{0:?} cannot name an application: at most 255 bytes without control characters")]
    App(String),
    /// Content that is too long.
    #[error("a session of {0} bytes cannot be stored: at most 16 MiB (`[session] max_session_bytes`)")]
    Content(usize),
}

/// A record that could not be read, and was put aside so that it harms no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    /// Which session, where that can still be told.
    pub key: Option<Key>,
    /// Where its bytes are now: a file, or a table and row, for a person to look at.
    pub place: String,
    /// What is wrong with it.
    pub cause: String,
}

impl std::fmt::Display for Damaged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.key {
            // As logs and admin pages write keys.
            Some(key) => write!(f, "the stored session {}", URL_SAFE_NO_PAD.encode(key.0))?,
            None => f.write_str("a stored session, which one cannot be told,")?,
        }
        write!(f, " is damaged: {}; its bytes are in {}", self.cause, self.place)
    }
}

/// Why a store did not do what it was asked for. Nothing that it holds was changed by what failed, unless it says
/// that this is unknown.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached, is too slow or too busy. Asking again later may help; a save may or may not
    /// have taken effect, and saving the same again is harmless.
    #[error("the {store} store does not answer: {cause}")]
    Unavailable {
        /// Which store: its kind and address or path, without any password.
        store: String,
        /// What happened.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// There is no room. Saving again helps once there is.
    #[error("the {store} store is full: {cause}")]
    Full {
        /// Which store.
        store: String,
        /// Which bound was met, and how it is raised.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// One record is damaged. It was put aside; the next load does not find the session.
    #[error("{0}")]
    Damaged(Damaged),
    /// Something that does not mend itself: a wrong password, a missing right, a key that is not in the key file.
    #[error("the {store} store cannot be used: {cause}")]
    Unusable {
        /// Which store.
        store: String,
        /// What is wrong and what mends it.
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
    /// Whether the same call may succeed later without anybody changing the configuration.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Full { .. })
    }

    /// Whether another process uses it, which only one may at a time: a folder or a file.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        let Self::Unusable { cause, .. } = self else { return false };
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::ResourceBusy)
    }

    /// It cannot be reached now.
    pub fn unavailable(store: &str, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable { store: store.into(), cause: cause.into() }
    }

    /// It has no room.
    pub fn full(store: &str, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Full { store: store.into(), cause: cause.into() }
    }

    /// It will not work like this.
    pub fn unusable(store: &str, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unusable { store: store.into(), cause: cause.into() }
    }
}
