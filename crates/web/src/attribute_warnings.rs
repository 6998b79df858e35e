//! Warnings that name an attribute, each at most once a minute however often its cause comes.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

const PAUSE: Duration = Duration::from_secs(60);

/// Names that are remembered; while so many are fresh, further ones are only counted.
const NAMES_MAX: usize = 256;

/// When each attribute was last spoken of.
#[derive(Default)]
pub(crate) struct AttributeWarnings {
    spoken: Mutex<HashMap<String, Instant>>,
}

impl AttributeWarnings {
    /// Whether to speak of the attribute now.
    pub(crate) fn is_due(&self, name: &str) -> bool {
        let mut spoken = self.spoken.lock();
        if spoken.get(name).is_some_and(|at| at.elapsed() < PAUSE) {
            return false;
        }
        if spoken.len() >= NAMES_MAX {
            spoken.retain(|_, at| at.elapsed() < PAUSE);
        }
        let has_room = spoken.len() < NAMES_MAX;
        if has_room {
            spoken.insert(name.to_owned(), Instant::now());
        }
        has_room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_spoken_of_once_and_the_names_are_bounded() {
        let attribute_warnings = AttributeWarnings::default();
        assert!(
            attribute_warnings.is_due("a")
                && !attribute_warnings.is_due("a")
                && attribute_warnings.is_due("b")
        );
        let due = (0..2 * NAMES_MAX).filter(|number| attribute_warnings.is_due(&number.to_string())).count();
        assert_eq!(due, NAMES_MAX - 2);
    }
}
