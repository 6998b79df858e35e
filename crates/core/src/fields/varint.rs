//! Numbers in as few bytes as they need: seven bits a byte, the lowest first (LEB128).

use bytes::BufMut;

/// How many bytes [`put`] writes.
pub(super) fn len(number: u64) -> usize {
    (u64::BITS - (number | 1).leading_zeros()).div_ceil(7) as usize
}

/// Writes the number.
pub(super) fn put(out: &mut impl BufMut, mut number: u64) {
    while number >= 0x80 {
        out.put_u8(number as u8 | 0x80);
        number >>= 7;
    }
    out.put_u8(number as u8);
}

/// Takes a number off the front; `None` when there is no whole one.
pub(super) fn take(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = *from.split_off_first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_read_as_it_was_written() {
        for bits in 0..=64 {
            let number = (u128::MAX >> (128 - bits.max(1))) as u64 * u64::from(bits > 0);
            let mut out = Vec::new();
            put(&mut out, number);
            assert_eq!(out.len(), len(number));
            let mut from = out.as_slice();
            assert_eq!(take(&mut from), Some(number));
            assert!(from.is_empty());
            assert_eq!(take(&mut &out[..out.len() - 1]), None);
        }
    }

    #[test]
    fn a_number_without_end_is_refused() {
        assert_eq!(take(&mut [0xff; 20].as_slice()), None);
    }
}
