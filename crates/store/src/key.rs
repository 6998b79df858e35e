//! What names a session everywhere, for life.

use std::fmt;
use std::str::FromStr;

use crate::error::Malformed;

/// The name of a session: 16 random bytes that are never used again for another one.
///
/// A store orders its records by key. It must never make a file name, a statement or a command out of one in any
/// form but the fixed 32 hexadecimal digits of [`Display`](fmt::Display) or the 16 bytes.
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
    type Error = Malformed;

    fn try_from(bytes: &[u8]) -> Result<Self, Malformed> {
        bytes.try_into().map(Self).map_err(|_| Malformed::Key)
    }
}

/// Reads the 32 digits that [`Display`](fmt::Display) writes.
impl FromStr for Key {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let digits = text.len() == 2 * Self::BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = digits.then(|| u128::from_str_radix(text, 16).ok()).flatten();
        number.map(Self::from).ok_or(Malformed::Key)
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
    fn a_key_is_read_back_from_its_digits_and_from_nothing_else() {
        let key = Key::from(0x00ab_u128);
        assert_eq!(key.to_string(), "000000000000000000000000000000ab");
        assert_eq!(key.to_string().parse(), Ok(key));
        for wrong in ["", "ab", "+00000000000000000000000000000ab", "../../../../../../../etc/passwd00"] {
            assert_eq!(wrong.parse::<Key>(), Err(Malformed::Key), "{wrong:?}");
        }
    }
}
