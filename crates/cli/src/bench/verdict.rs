//! Judges answers: the one place that defines stale, torn and lost.

use std::fmt;

use serde::{Deserialize, Serialize};
use sessile_apps::clusterapp::payload::{fnv, payload};

/// The versions that an attribute may hold: one, unless the outcome of a write is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expected {
    /// The last acknowledged version; `None` after a removal.
    pub(crate) acknowledged: Option<u64>,
    /// The last version sent.
    pub(crate) sent: u64,
    /// Bytes of the value.
    pub(crate) size: usize,
}

/// An attribute as read from a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) v: Option<u64>,
    pub(crate) len: usize,
    /// The checksum, if requested.
    pub(crate) fnv: Option<u32>,
}

/// A violation of the session guarantees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Violation {
    pub(crate) kind: ViolationKind,
    /// Attribute and details.
    pub(crate) words: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ViolationKind {
    /// An older value than the acknowledged one, or a removed value.
    Stale,
    /// Bytes that were never written there.
    Torn,
    /// An acknowledged value or session is missing.
    Lost,
}

impl Expected {
    /// Judges a reading of the attribute `name`; `None` if it is allowed.
    pub(crate) fn judge(&self, name: &str, reading: Option<Reading>) -> Option<Violation> {
        let fault = |kind, words: String| Some(Violation { kind, words: format!("{name}: {words}") });
        let Some(Reading { v, len, fnv: sum }) = reading else {
            let lost = self.acknowledged?;
            return fault(ViolationKind::Lost, format!("version {lost} was acknowledged and is missing"));
        };
        let Some(v) = v else { return fault(ViolationKind::Torn, "its bytes hold no version".to_owned()) };
        if v > self.sent {
            return fault(ViolationKind::Torn, format!("version {v} was never written there"));
        }
        if len != self.size {
            return fault(
                ViolationKind::Torn,
                format!("version {v} has {len} bytes instead of {}", self.size),
            );
        }
        if sum.is_some_and(|sum| sum != fnv(&payload(v, self.size))) {
            return fault(ViolationKind::Torn, format!("version {v} has other bytes than were written"));
        }
        match self.acknowledged {
            Some(newer) if v < newer => {
                fault(ViolationKind::Stale, format!("version {v} was read after {newer} was acknowledged"))
            }
            None if v < self.sent => {
                fault(ViolationKind::Stale, format!("version {v} was removed and came back"))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ViolationKind::Stale => "stale",
            ViolationKind::Torn => "torn",
            ViolationKind::Lost => "lost",
        };
        write!(out, "{kind}: {}", self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: Expected = Expected { acknowledged: Some(7), sent: 8, size: 1024 };

    fn reading(v: u64, len: usize, sum: u32) -> Option<Reading> {
        Some(Reading { v: Some(v), len, fnv: Some(sum) })
    }

    fn judged(reading: Option<Reading>) -> Option<ViolationKind> {
        EXPECTED.judge("a0", reading).map(|fault| fault.kind)
    }

    #[test]
    fn acknowledged_and_unknown_writes_are_allowed() {
        assert_eq!(judged(reading(7, 1024, 2_437_767_237)), None);
        assert_eq!(judged(reading(8, 1024, fnv(&payload(8, 1024)))), None);
        assert_eq!(judged(Some(Reading { v: Some(7), len: 1024, fnv: None })), None, "no sum was asked for");
        let removed = Expected { acknowledged: None, ..EXPECTED };
        assert_eq!(removed.judge("a0", None), None);
    }

    #[test]
    fn other_readings_are_stale_torn_or_lost() {
        assert_eq!(judged(None), Some(ViolationKind::Lost));
        assert_eq!(judged(reading(6, 1024, fnv(&payload(6, 1024)))), Some(ViolationKind::Stale));
        assert_eq!(judged(reading(9, 1024, fnv(&payload(9, 1024)))), Some(ViolationKind::Torn));
        assert_eq!(judged(reading(7, 1023, 2_437_767_237)), Some(ViolationKind::Torn));
        assert_eq!(judged(reading(7, 1024, 2_437_767_238)), Some(ViolationKind::Torn));
        assert_eq!(judged(Some(Reading { v: None, len: 1024, fnv: None })), Some(ViolationKind::Torn));
        let removed = Expected { acknowledged: None, ..EXPECTED };
        let back = removed.judge("a0", reading(7, 1024, 2_437_767_237)).unwrap();
        assert_eq!(
            (back.kind, back.to_string().as_str()),
            (ViolationKind::Stale, "stale: a0: version 7 was removed and came back")
        );
    }
}
