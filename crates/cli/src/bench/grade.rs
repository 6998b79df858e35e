//! Grades a measured ratio against its thresholds.

use serde::Serialize;

/// Thresholds of one ratio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Bars {
    AtMost { good: f64, excellent: f64 },
    AtLeast { good: f64, excellent: f64 },
}

/// The verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Grade {
    Excellent,
    Good,
    Missed,
}

impl Bars {
    pub(super) const fn at_most(good: f64, excellent: f64) -> Self {
        Self::AtMost { good, excellent }
    }

    pub(super) const fn at_least(good: f64, excellent: f64) -> Self {
        Self::AtLeast { good, excellent }
    }

    /// A value equal to a threshold passes; a value that is not a number fails.
    pub(super) fn grade(self, value: f64) -> Grade {
        let (good, excellent) = match self {
            Self::AtMost { good, excellent } => (value <= good, value <= excellent),
            Self::AtLeast { good, excellent } => (value >= good, value >= excellent),
        };
        match (good, excellent) {
            (_, true) => Grade::Excellent,
            (true, false) => Grade::Good,
            (false, false) => Grade::Missed,
        }
    }

    /// Good, then excellent.
    pub(super) fn values(self) -> [f64; 2] {
        let (Self::AtMost { good, excellent } | Self::AtLeast { good, excellent }) = self;
        [good, excellent]
    }

    /// The thresholds as text.
    pub(super) fn words(self) -> [String; 2] {
        match self {
            Self::AtMost { good, excellent } => [format!("<= {good}"), format!("<= {excellent}")],
            Self::AtLeast { good, excellent } => [format!(">= {good}"), format!(">= {excellent}")],
        }
    }
}

impl Grade {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Excellent => "excellent",
            Self::Good => "good",
            Self::Missed => "missed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grades_follow_the_thresholds() {
        let latency = Bars::at_most(2.0, 1.5);
        assert_eq!(
            [1.5, 1.6, 2.0, 2.1].map(|value| latency.grade(value).word()),
            ["excellent", "good", "good", "missed"]
        );
        let throughput = Bars::at_least(0.7, 0.8);
        assert_eq!(
            [0.9, 0.7, 0.69].map(|value| throughput.grade(value).word()),
            ["excellent", "good", "missed"]
        );
        assert_eq!(latency.grade(f64::NAN), Grade::Missed);
        assert_eq!(throughput.grade(f64::NAN), Grade::Missed);
    }
}
