//! A complaint that is repeated at most once a minute, however often its cause comes.

use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_secs(60);

/// Remembers when it last spoke, and how often it kept silent since.
#[derive(Debug, Default)]
pub(crate) struct Grumble {
    spoke: Option<Instant>,
    kept_silent: u64,
}

impl Grumble {
    /// Whether to speak now, and of how many times.
    pub(crate) fn may_speak(&mut self) -> Option<u64> {
        self.kept_silent += 1;
        if self.spoke.is_some_and(|spoke| spoke.elapsed() < PAUSE) {
            return None;
        }
        self.spoke = Some(Instant::now());
        Some(std::mem::take(&mut self.kept_silent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_speaks_once_and_then_keeps_silent() {
        let mut grumble = Grumble::default();
        assert_eq!(grumble.may_speak(), Some(1));
        assert_eq!(grumble.may_speak(), None);
        assert_eq!(grumble.may_speak(), None);
        assert_eq!(grumble.kept_silent, 2);
    }
}
