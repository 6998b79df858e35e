//! One number for a session, equal on two nodes when and only when their copies are (rule 6.9).
//!
//! It is linear in the sum over the fields and in the clock: what a change does to the sum of all
//! fingerprints of a shard is known without looking at the rest of the session.

use crate::session::Session;

/// The part of the fingerprint that the session's clock is.
pub(crate) fn of_clock(clock: u64) -> u64 {
    clock.wrapping_mul(0xD6E8_FEB8_6659_FD93)
}

/// The part of the fingerprint that the sum over the session's fields is.
pub(crate) fn of_fields(sum: u64) -> u64 {
    sum.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl Session {
    /// Equal on two nodes when and only when the copies are.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.content_fingerprint().wrapping_add(of_clock(self.clock))
    }

    /// The part that does not depend on the clock.
    pub(crate) fn content_fingerprint(&self) -> u64 {
        let key = self.key.as_u128();
        let key = (key as u64) ^ ((key >> 64) as u64);
        of_fields(self.fields.fingerprint().wrapping_add(key))
    }
}
