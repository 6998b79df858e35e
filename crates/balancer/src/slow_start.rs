//! Slow start: a node that has just come back gets its share little by little. Pure: told the time. Source:
//! HAProxy's `slowstart`.

use std::time::Duration;

/// Parts of a weight: how finely a share grows.
pub(crate) const WEIGHT_PARTS: u32 = 100;

/// The weight in parts of a node that is up for `up_for`: from one part in a hundred to all of them over
/// `time`.
pub(crate) fn effective_weight(weight: u32, up_for: Duration, time: Duration) -> u32 {
    if up_for >= time {
        return weight * WEIGHT_PARTS;
    }
    // Below `time`, so less than all parts.
    let parts = (up_for.as_secs_f64() / time.as_secs_f64() * f64::from(WEIGHT_PARTS)) as u32;
    weight * parts.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_grows_to_its_full_size() {
        let second = Duration::from_secs(1);
        let at = |seconds| effective_weight(3, seconds * second, 10 * second);
        assert_eq!([at(0), at(1), at(5), at(10), at(99)], [3, 30, 150, 300, 300]);
        assert_eq!(effective_weight(3, Duration::ZERO, Duration::ZERO), 300, "off");
        assert_eq!(effective_weight(0, second, 10 * second), 0);
    }
}
