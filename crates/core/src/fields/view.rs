//! A field and its value as they are lent out, whichever form holds them.

use std::cmp::Ordering;
use std::fmt;

use bytes::Bytes;

use super::name_ref::NameRef;
use crate::timestamp::Timestamp;
use crate::value::{Codec, Value};

/// A value from this size on keeps the shared buffer that it came in; a smaller one is copied, because it
/// would keep a whole receive buffer in memory.
const SHARE_FROM: usize = 16 * 1024;

/// One field: its name, the timestamp of its last write, and what that write left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldRef<'a> {
    /// The name, with a zero byte before it when it is a system field.
    pub name: NameRef<'a>,
    /// The last write.
    pub timestamp: Timestamp,
    /// The value; `None` when the field was removed.
    pub value: Option<ValueRef<'a>>,
}

impl FieldRef<'_> {
    /// Whether the field belongs to the system and not to the application.
    pub fn is_system(&self) -> bool {
        self.name.is_system()
    }

    /// A number for this write, the same on every node.
    pub(crate) fn identity(&self) -> u64 {
        self.name.with_text(|name| super::fingerprint::of(name, self.timestamp))
    }

    /// What the fingerprint of all fields changes by when this write takes the place of that field.
    pub(super) fn fingerprint_change(&self, held: Option<FieldRef<'_>>) -> u64 {
        let before = held.map(|held| held.timestamp);
        self.name.with_text(|name| super::fingerprint::change(name, before, self.timestamp))
    }

    /// Bytes of name and value.
    pub fn weight(&self) -> usize {
        self.name.len() + self.value.map_or(0, |value| value.bytes.len())
    }

    /// Orders two contents of one timestamp: removed first, then by bytes, then by codec.
    pub(super) fn cmp_content(&self, other: &Self) -> Ordering {
        let rank = |field: Self| field.value.map(|value| (value.bytes, value.codec.0));
        rank(*self).cmp(&rank(*other))
    }
}

/// A value where it lies.
#[derive(Clone, Copy)]
pub struct ValueRef<'a> {
    /// How the bytes were encoded.
    pub codec: Codec,
    /// The encoded value.
    pub bytes: &'a [u8],
    /// The buffer of exactly these bytes, if they have one of their own.
    shared: Option<&'a Bytes>,
}

impl<'a> ValueRef<'a> {
    /// A value that lies in somebody's buffer and is copied by whoever keeps it.
    pub fn new(codec: Codec, bytes: &'a [u8]) -> Self {
        Self { codec, bytes, shared: None }
    }

    /// The bytes to send or to keep for long: shared when they have their own buffer, copied otherwise.
    pub fn to_bytes(self) -> Bytes {
        self.shared.cloned().unwrap_or_else(|| Bytes::copy_from_slice(self.bytes))
    }

    /// The value to keep, shared or copied like [`ValueRef::to_bytes`].
    pub fn to_value(self) -> Value {
        Value { codec: self.codec, bytes: self.to_bytes() }
    }

    /// The value to store: nothing small stays in a buffer that may be much larger.
    pub(super) fn to_stored(self) -> Value {
        let shared = self.shared.filter(|bytes| bytes.len() >= SHARE_FROM);
        Self { shared, ..self }.to_value()
    }
}

impl<'a> From<&'a Value> for ValueRef<'a> {
    fn from(value: &'a Value) -> Self {
        Self { codec: value.codec, bytes: &value.bytes, shared: Some(&value.bytes) }
    }
}

impl PartialEq for ValueRef<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.codec == other.codec && self.bytes == other.bytes
    }
}

impl Eq for ValueRef<'_> {}

/// The codec and the size; never the bytes, which may be a secret.
impl fmt::Debug for ValueRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, {} bytes", self.codec, self.bytes.len())
    }
}
