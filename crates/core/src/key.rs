//! The names of a session: the key that everybody may see, and the secret that only the cookie holds.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Bytes in a key and in a secret.
pub const KEY_BYTES: usize = 16;

/// Shards in every node of this protocol version. Members compare them one by one, so the number must be the
/// same everywhere.
pub const SHARDS: usize = 16;

/// Characters of a key's text form.
pub(crate) const KEY_CHARACTERS: usize = 22;

/// Names a session everywhere and for life: shard, wire, logs, admin pages, stores.
///
/// Written as 22 characters of unpadded base64url.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey(pub [u8; KEY_BYTES]);

impl SessionKey {
    /// Reads the text form; `None` unless it is exactly one key's one spelling.
    pub fn parse(text: &str) -> Option<Self> {
        // The decoder wants room for whole groups of four characters.
        let mut room = [0; KEY_CHARACTERS.div_ceil(4) * 3];
        let bytes = URL_SAFE_NO_PAD.decode_slice(text, &mut room).ok()?;
        room[..bytes].try_into().ok().map(Self)
    }

    /// The text form.
    pub(crate) fn spelled(self) -> [u8; KEY_CHARACTERS] {
        let mut text = [0; KEY_CHARACTERS];
        let written = URL_SAFE_NO_PAD.encode_slice(self.0, &mut text);
        debug_assert_eq!(written, Ok(KEY_CHARACTERS));
        text
    }

    /// The slice of the sessions that it belongs to: pages of sessions are ordered by this, then by key.
    /// Rule 1.8.
    pub fn shard(self) -> usize {
        // The high half: the low half is the hash within the shard's own index.
        (self.as_u128() >> 64) as usize % SHARDS
    }

    /// The key as a number, for hashing and ack_set.
    pub fn as_u128(self) -> u128 {
        u128::from_le_bytes(self.0)
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.spelled()).expect("base64 is ASCII"))
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Proves that a request may use a session. Changed at login; never logged, printed or shown.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Secret(pub [u8; KEY_BYTES]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_exactly_one_spelling() {
        let key = SessionKey([7; KEY_BYTES]);
        let text = key.to_string();
        assert_eq!(text.len(), 22);
        assert_eq!(SessionKey::parse(&text), Some(key));
        assert_eq!(SessionKey::parse(&format!("{text}=")), None);
        // The last character carries four unused bits: only zeros are accepted there.
        let mut other = text.clone();
        other.pop();
        other.push('9');
        assert_eq!(SessionKey::parse(&other), None);
    }

    #[test]
    fn a_secret_is_never_printed() {
        assert_eq!(format!("{:?}", Secret([9; KEY_BYTES])), "Secret(..)");
    }
}
