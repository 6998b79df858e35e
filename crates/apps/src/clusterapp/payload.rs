//! The values: a version that a reader can check, then bytes derived from it.
//!
//! Every value is newly allocated: shared bytes would distort measurements.

use std::sync::LazyLock;

/// Digits of the version at the front of a value.
pub const VERSION_DIGITS: usize = 16;
/// The largest version that fits.
pub const MAX_VERSION: u64 = 9_999_999_999_999_999;
/// Most bytes of one value, independent of the node's limits.
pub const MAX_SIZE: usize = 16 << 20;

const FILLER_BYTES: usize = 262_144;
const OFFSETS: u64 = 131_072;
const OFFSET_STEP: u64 = 7_919;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static FILLER: LazyLock<Box<[u8]>> = LazyLock::new(|| {
    let mut x: u64 = 0x9E37_79B9_7F4A_7C15;
    let next = || {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        ALPHABET[(x >> 32) as usize % ALPHABET.len()]
    };
    std::iter::repeat_with(next).take(FILLER_BYTES).collect()
});

/// The value of version `v` with `size` bytes: `v` in 16 digits, then filler from an offset that depends on
/// `v`, repeated as needed.
pub fn payload(v: u64, size: usize) -> Vec<u8> {
    let offset = (v.wrapping_mul(OFFSET_STEP) % OFFSETS) as usize;
    let mut value = Vec::with_capacity(size.max(VERSION_DIGITS));
    value.extend_from_slice(format!("{v:0VERSION_DIGITS$}").as_bytes());
    value.truncate(size);
    let mut from = offset;
    while value.len() < size {
        let piece = &FILLER[from..FILLER_BYTES.min(from + size - value.len())];
        value.extend_from_slice(piece);
        from = 0;
    }
    value
}

/// The value of version `v` with `size` bytes, of which [`version`] reads `v` also where less than 16 digits
/// have room: it is then `v` in as many digits as there are. `None` if `v` has more.
pub fn legible(v: u64, size: usize) -> Option<Vec<u8>> {
    if size >= VERSION_DIGITS {
        return Some(payload(v, size));
    }
    let digits = format!("{v:0size$}");
    (size > 0 && digits.len() == size).then(|| digits.into_bytes())
}

/// The version at the front of a value; `None` without a number there.
pub fn version(value: &[u8]) -> Option<u64> {
    let digits = &value[..value.len().min(VERSION_DIGITS)];
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// FNV-1a with 32 bits.
pub fn fnv(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_contract() {
        assert_eq!(fnv(&payload(7, 1024)), 2_437_767_237);
        assert_eq!(fnv(&payload(7, 102_400)), 499_303_390);
    }

    #[test]
    fn short_values_are_the_first_digits() {
        assert_eq!(payload(1234, 16), b"0000000000001234");
        assert_eq!(payload(9_876_543_210_123_456, 5), b"98765");
        assert_eq!(payload(7, 0), b"");
    }

    #[test]
    fn a_short_value_is_legible_or_refused() {
        assert_eq!(legible(7, 5).unwrap(), b"00007");
        assert_eq!(legible(12_345, 5).as_deref().and_then(version), Some(12_345));
        assert_eq!(legible(12_345, 4), None);
        assert_eq!(legible(0, 0), None);
        assert_eq!(legible(7, 1024), Some(payload(7, 1024)));
    }

    #[test]
    fn a_value_longer_than_the_filler_has_its_size() {
        let value = payload(16, 300_000);
        assert_eq!(value.len(), 300_000);
        let first_lap = VERSION_DIGITS + FILLER_BYTES - 16 * 7_919;
        assert_eq!(value[first_lap..first_lap + 100], FILLER[..100]);
    }

    #[test]
    fn a_version_is_read_back() {
        assert_eq!(version(&payload(0, 64)), Some(0));
        assert_eq!(version(&payload(MAX_VERSION, 16)), Some(MAX_VERSION));
        assert_eq!(version(&payload(42, 0)), None);
        assert_eq!(version(b"umbrella"), None);
    }
}
