//! The permanent name of a session.

use std::fmt;
use std::str::FromStr;

use crate::error::MalformedRecord;

/// The name of a session: 16 random bytes, never reused for another session.
///
/// A store orders its records by key. It must never make a file name, a statement or a command out of one in
/// any form but the fixed 32 hexadecimal digits of [`Display`](fmt::Display) or the 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub [u8; Key::BYTES]);

impl Key {
    /// The length of a key.
    pub const BYTES: usize = 16;
}

impl From<u128> for Key {
    fn from(number: u128) -> Self {
        Self(number.to_be_bytes())
    }
}

impl From<Key> for u128 {
    fn from(key: Key) -> Self {
        Self::from_be_bytes(key.0)
    }
}

impl TryFrom<&[u8]> for Key {
    type Error = MalformedRecord;

    fn try_from(bytes: &[u8]) -> Result<Self, MalformedRecord> {
        bytes.try_into().map(Self).map_err(|_| MalformedRecord::Key)
    }
}

/// Reads the 32 digits that [`Display`](fmt::Display) writes.
impl FromStr for Key {
    type Err = MalformedRecord;

    fn from_str(text: &str) -> Result<Self, MalformedRecord> {
        let digits = text.len() == 2 * Self::BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = digits.then(|| u128::from_str_radix(text, 16).ok()).flatten();
        number.map(Self::from).ok_or(MalformedRecord::Key)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from(*self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_parses_only_from_its_digits() {
        let key = Key::from(0x00ab_u128);
        assert_eq!(key.to_string(), "000000000000000000000000000000ab");
        assert_eq!(key.to_string().parse(), Ok(key));
        for wrong in ["", "ab", "+00000000000000000000000000000ab", "../../../../../../../etc/passwd00"] {
            assert_eq!(wrong.parse::<Key>(), Err(MalformedRecord::Key), "{wrong:?}");
        }
    }
}
