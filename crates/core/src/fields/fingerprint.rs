//! One field's part in the fingerprint: the same number on every node and in every release.

use crate::timestamp::Timestamp;

/// Hashes a name and a timestamp; the parts of all fields are added up, so their order does not matter.
/// Rule 12.4.
pub(super) fn of(name: &str, timestamp: Timestamp) -> u64 {
    stamped(named(name), timestamp)
}

/// What the sum over a session's fields changes by when a write takes the place of another one, or of none.
pub(super) fn change(name: &str, before: Option<Timestamp>, after: Timestamp) -> u64 {
    let name = named(name);
    stamped(name, after).wrapping_sub(before.map_or(0, |before| stamped(name, before)))
}

fn named(name: &str) -> u64 {
    let (words, tail) = name.as_bytes().as_chunks::<8>();
    let mut last = [0; 8];
    last[..tail.len()].copy_from_slice(tail);
    // The length goes in first: a name must not equal the same name with zero bytes behind it.
    let start = absorb(0, name.len() as u64);
    words.iter().chain([&last]).fold(start, |hash, word| absorb(hash, u64::from_le_bytes(*word)))
}

fn stamped(named: u64, timestamp: Timestamp) -> u64 {
    absorb(absorb(named, timestamp.counter), u64::from(timestamp.incarnation.0))
}

/// Steele, Lea and Flood's `SplitMix64` step (2014): every bit of the word reaches every bit of the hash.
fn absorb(hash: u64, word: u64) -> u64 {
    let mut x = (hash ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timestamp::Incarnation;

    #[test]
    fn every_part_of_a_field_counts() {
        let timestamp = Timestamp::new(3, Incarnation(5));
        let parts = [
            of("cart", timestamp),
            of("cart\0", timestamp),
            of("carts-and-horses", timestamp),
            of("carts-and-horsez", timestamp),
            of("cart", Timestamp::new(4, Incarnation(5))),
            of("cart", Timestamp::new(5, Incarnation(3))),
        ];
        for (i, part) in parts.iter().enumerate() {
            assert!(!parts[i + 1..].contains(part), "part {i} is there twice");
        }
    }

    #[test]
    fn releases_agree_on_the_number() {
        // With another one, nodes of two releases would take all their sessions for different.
        assert_eq!(of("cart", Timestamp::new(3, Incarnation(5))), 6_221_985_406_104_844_207);
    }
}
