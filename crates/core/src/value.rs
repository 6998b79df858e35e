//! An attribute's value: opaque bytes and a tag that says how they were encoded.

use bytes::Bytes;

/// How the bytes of a value were made. The core carries the tag and never looks behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Codec(pub u8);

impl Codec {
    /// The application's own bytes.
    pub const RAW: Self = Self(0);
    /// CBOR (RFC 8949), as the typed `get` and `set` write it.
    pub const CBOR: Self = Self(1);
    /// JSON, as adapters of other session libraries write it.
    pub const JSON: Self = Self(2);
}

/// A value as it is stored and sent: never decoded on the way, so a relay cannot damage it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// How `bytes` were encoded.
    pub codec: Codec,
    /// The encoded value.
    pub bytes: Bytes,
}

impl Value {
    /// A value of the application's own bytes.
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self { codec: Codec::RAW, bytes: bytes.into() }
    }
}
