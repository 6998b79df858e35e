//! Names on the server.

use crate::key::Key;

/// The sessions whose keys begin with one byte. The braces make a cluster put all of a bucket into one slot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket<'a> {
    pub(super) prefix: &'a str,
    pub(super) number: u8,
}

impl Bucket<'_> {
    /// The hash of one session.
    pub(super) fn record(&self, key: Key) -> String {
        self.named(&key.to_string())
    }

    /// The sorted set of all keys in this bucket.
    pub(super) fn index(&self) -> String {
        self.named("index")
    }

    /// The hash of quarantined records.
    pub(super) fn damaged(&self) -> String {
        self.named("damaged")
    }

    fn named(&self, what: &str) -> String {
        format!("{{{}:{:02x}}}{what}", self.prefix, self.number)
    }
}
