//! One version of one session, as a store sees it.

use bytes::Bytes;

use crate::app::AppName;
use crate::error::MalformedRecord;
use crate::key::Key;
use crate::lifetime::Lifetime;
use crate::record_version::RecordVersion;

/// One version of one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Which session.
    pub key: Key,
    /// Which version of it.
    pub version: RecordVersion,
    /// The application it belongs to.
    pub app: AppName,
    /// Its times.
    pub lifetime: Lifetime,
    /// Its content, or that it ended.
    pub content: RecordContent,
}

/// The content of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordContent {
    /// The session lives; its bytes are opaque to a store.
    Live(Bytes),
    /// The session ended. A tombstone supersedes every live record, whatever its version, so that a slower
    /// save of another node cannot bring the session back.
    Ended,
}

impl Record {
    /// The longest content in bytes, 16 MiB.
    pub const CONTENT_LIMIT: usize = 16 << 20;

    /// A living session.
    ///
    /// # Errors
    /// The content is longer than [`CONTENT_LIMIT`](Self::CONTENT_LIMIT).
    pub fn live(
        key: Key,
        version: RecordVersion,
        app: AppName,
        lifetime: Lifetime,
        content: impl Into<Bytes>,
    ) -> Result<Self, MalformedRecord> {
        let content = content.into();
        if content.len() > Self::CONTENT_LIMIT {
            return Err(MalformedRecord::Content(content.len()));
        }
        Ok(Self { key, version, app, lifetime, content: RecordContent::Live(content) })
    }

    /// The tombstone of a session that ended.
    #[must_use]
    pub fn ended(key: Key, version: RecordVersion, app: AppName, lifetime: Lifetime) -> Self {
        Self { key, version, app, lifetime, content: RecordContent::Ended }
    }

    /// Whether this is a tombstone.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        matches!(self.content, RecordContent::Ended)
    }

    /// The content of a living session.
    #[must_use]
    pub fn content(&self) -> Option<&Bytes> {
        match &self.content {
            RecordContent::Live(content) => Some(content),
            RecordContent::Ended => None,
        }
    }

    /// Whether this must replace `stored`: a tombstone supersedes a live record, otherwise the version
    /// decides, and an equal version is written again, with its new times or its new encryption.
    #[must_use]
    pub fn supersedes(&self, stored: &Record) -> bool {
        self.rank() >= stored.rank()
    }

    /// The fields are public, so a record may not have been created by [`live`](Self::live).
    pub(crate) fn check(&self) -> Result<(), MalformedRecord> {
        match self.content() {
            Some(content) if content.len() > Self::CONTENT_LIMIT => {
                Err(MalformedRecord::Content(content.len()))
            }
            _ => Ok(()),
        }
    }

    /// The order of all versions of one session.
    pub(crate) fn rank(&self) -> (bool, &[u8]) {
        (self.is_ended(), self.version.as_bytes())
    }
}
