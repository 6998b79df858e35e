//! A warning that is repeated at most once a minute, however often its cause comes.

use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_secs(60);

/// Remembers when it last spoke, and how often it kept silent since.
#[derive(Debug, Default)]
pub(crate) struct WarningLimit {
    spoke: Option<Instant>,
    kept_silent: u64,
}

impl WarningLimit {
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
        let mut warning_limit = WarningLimit::default();
        assert_eq!(warning_limit.may_speak(), Some(1));
        assert_eq!(warning_limit.may_speak(), None);
        assert_eq!(warning_limit.may_speak(), None);
        assert_eq!(warning_limit.kept_silent, 2);
    }
}
