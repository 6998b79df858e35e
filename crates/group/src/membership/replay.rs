//! Which announcements were heard before.
//!
//! Per process a window over the last 64 counters, as IPsec has it (RFC 4303, section 3.4.3). The table is
//! bounded: when it is full, the process heard longest ago makes room. A replay that slips through then costs
//! one attempt to dial, nothing else.

use std::collections::HashMap;

/// Processes remembered at once.
const PROCESSES_MAX: usize = 1024;
/// Counters remembered below the highest one.
const WINDOW: u64 = 64;

/// The windows of all processes that were heard.
#[derive(Debug, Default)]
pub(super) struct ReplayWindows {
    windows: HashMap<u32, Window>,
    /// Rises with every announcement believed; tells which window was used last.
    turn: u64,
}

#[derive(Debug, Default)]
struct Window {
    highest: u64,
    /// Bit n: the counter n below the highest one was heard.
    heard: u64,
    used: u64,
}

impl ReplayWindows {
    /// Whether this counter of the process was not heard before; from now on it was. Rule 9.5.
    pub(super) fn is_new(&mut self, incarnation: u32, counter: u64) -> bool {
        if self.windows.len() >= PROCESSES_MAX && !self.windows.contains_key(&incarnation) {
            self.make_room();
        }
        let window = self.windows.entry(incarnation).or_default();
        let new = window.take(counter);
        if new {
            self.turn += 1;
            window.used = self.turn;
        }
        new
    }

    fn make_room(&mut self) {
        let oldest =
            self.windows.iter().min_by_key(|(_, window)| window.used).map(|(incarnation, _)| *incarnation);
        if let Some(oldest) = oldest {
            self.windows.remove(&oldest);
        }
    }
}

impl Window {
    fn take(&mut self, counter: u64) -> bool {
        if counter > self.highest {
            let ahead = counter - self.highest;
            self.heard = if ahead < WINDOW { self.heard << ahead } else { 0 };
            self.highest = counter;
        }
        let below = self.highest - counter;
        if below >= WINDOW || self.heard & (1 << below) != 0 {
            return false;
        }
        self.heard |= 1 << below;
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn each_counter_counts_once(counters in prop::collection::vec(0_u64..200, 0..400)) {
            let mut windows = ReplayWindows::default();
            let mut believed = std::collections::HashSet::new();
            for counter in counters {
                if windows.is_new(1, counter) {
                    prop_assert!(believed.insert(counter));
                }
            }
        }
    }

    #[test]
    fn reordered_ones_within_the_window_count() {
        let mut windows = ReplayWindows::default();
        for counter in [0, 5, 3, 63, 4, 1] {
            assert!(windows.is_new(1, counter), "{counter}");
        }
        assert!(windows.is_new(1, u64::MAX));
        assert!(!windows.is_new(1, 64));
    }

    #[test]
    fn the_table_is_bounded() {
        let mut windows = ReplayWindows::default();
        for incarnation in 0..5000 {
            assert!(windows.is_new(incarnation, 0));
        }
        assert_eq!(windows.windows.len(), PROCESSES_MAX);
        assert!(!windows.is_new(4999, 0), "the latest are remembered");
    }
}
