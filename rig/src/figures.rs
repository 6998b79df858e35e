//! Figures of a scenario as one line, and its broken requirements.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

/// The figures.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    measured: Vec<(String, String)>,
    longest_wait: Duration,
    /// Texts of the broken requirements.
    pub(crate) broken: Vec<String>,
}

impl Figures {
    /// Figures of a drill's verdict; every finding breaks a requirement.
    pub(crate) fn of(verdict: &Value) -> Result<Self> {
        let mut figures = Self::default();
        let number = |value: &Value| value.as_u64().context("the verdict of the drill lacks a number");
        for name in ["acknowledged", "unknown", "failed"] {
            figures.measure(name, number(&verdict["verdict"][name])?);
        }
        figures.longest_wait = Duration::from_micros(number(&verdict["verdict"]["longest_wait"])?);
        figures.measure("longest wait", format!("{} ms", figures.longest_wait.as_millis()));
        let counts = verdict["counts"].as_object().context("the verdict of the drill has no counts")?;
        for (kind, count) in counts {
            let count = number(count)?;
            if count > 0 || kind == "lost" {
                figures.measure(kind, count);
            }
            figures.require(count == 0, || format!("{kind}: {count}"));
        }
        if let Some(views) = verdict["apart"].as_str() {
            figures.require(false, || format!("the nodes did not agree on their members: {views}"));
        }
        Ok(figures)
    }

    /// Longest wait of a client for a node that was not stopped.
    pub(crate) fn longest_wait(&self) -> Duration {
        self.longest_wait
    }

    pub(crate) fn measure(&mut self, name: &str, value: impl fmt::Display) {
        self.measured.push((name.to_owned(), value.to_string()));
    }

    /// A requirement; if it does not hold, `words` describes the observation.
    pub(crate) fn require(&mut self, holds: bool, words: impl FnOnce() -> String) {
        if !holds {
            self.broken.push(words());
        }
    }

    /// These figures followed by others.
    pub(crate) fn and(mut self, other: Self) -> Self {
        self.measured.extend(other.measured);
        self.broken.extend(other.broken);
        self
    }

    pub(crate) fn holds(&self) -> bool {
        self.broken.is_empty()
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let measured: Vec<_> = self.measured.iter().map(|(name, value)| format!("{name} {value}")).collect();
        f.write_str(&measured.join(", "))
    }
}
