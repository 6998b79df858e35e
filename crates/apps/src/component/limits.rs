//! What a component may take.

use std::time::Duration;

use serde::Deserialize;

use super::error::ComponentError;
use super::measure::{bytes, time};

/// The largest `memory` that can be allowed: each instance reserves as much address space.
pub(super) const MAX_MEMORY: usize = 1 << 30;
/// The most `concurrency` that can be allowed.
pub(super) const MAX_CONCURRENCY: usize = 512;
/// The longest `queue` that can be allowed.
const MAX_QUEUE: usize = 65_536;

/// What a component may take; over it, the request fails and the node goes on. Read from a manifest, where sizes are
/// written `"64MiB"` and times `"2s"`; what is left out keeps its default.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Limits {
    /// Linear memory of one instance, in bytes. More fails to be allocated. 64 KiB to 1 GiB; 64 MiB.
    #[serde(deserialize_with = "bytes")]
    pub memory: usize,
    /// How long one request may compute. Waiting does not count. 10 ms to 10 min; 2 s.
    #[serde(deserialize_with = "time")]
    pub cpu_time: Duration,
    /// How long one request may take in all, from the end of its queueing to the end of its body. 10 ms to 1 h; 30 s.
    #[serde(deserialize_with = "time")]
    pub request_time: Duration,
    /// Requests that run at once on a node. 1 to 512; 64.
    pub concurrency: usize,
    /// Requests that wait for that on a node; further ones are answered 503. 0 to 65,536; 256.
    pub queue: usize,
    /// The largest request body, in bytes; a larger one is answered 413. 8 MiB.
    #[serde(deserialize_with = "bytes")]
    pub body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            cpu_time: Duration::from_secs(2),
            request_time: Duration::from_secs(30),
            concurrency: 64,
            queue: 256,
            body: 8 << 20,
        }
    }
}

impl Limits {
    /// Refuses what cannot work.
    pub(super) fn check(&self) -> Result<(), ComponentError> {
        let (least, minute) = (Duration::from_millis(10), Duration::from_secs(60));
        within("memory", (64 << 10..=MAX_MEMORY).contains(&self.memory), "64KiB to 1GiB")?;
        within("cpu-time", (least..=10 * minute).contains(&self.cpu_time), "10ms to 10m")?;
        within("request-time", (least..=60 * minute).contains(&self.request_time), "10ms to 1h")?;
        within("concurrency", (1..=MAX_CONCURRENCY).contains(&self.concurrency), "1 to 512")?;
        within("queue", self.queue <= MAX_QUEUE, "0 to 65536")
    }
}

fn within(key: &'static str, is_within: bool, bounds: &str) -> Result<(), ComponentError> {
    let problem = || ComponentError::Setting { key, problem: format!("must be {bounds}") };
    is_within.then_some(()).ok_or_else(problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(text: &str) -> Result<Limits, String> {
        toml::from_str::<Limits>(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn what_is_left_out_keeps_its_default() {
        assert_eq!(limits("").unwrap(), Limits::default());
        let set = limits("memory = \"16MiB\"\ncpu-time = \"500ms\"\nbody = 4096").unwrap();
        let half = Duration::from_millis(500);
        assert_eq!(set, Limits { memory: 16 << 20, cpu_time: half, body: 4096, ..Limits::default() });
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        assert!(limits("memry = 1").unwrap_err().contains("memry"));
        assert!(limits("memory = \"16 potatoes\"").unwrap_err().contains("64MiB"));
        assert!(limits("cpu-time = 2").unwrap_err().contains("2s"));
    }

    #[test]
    fn what_cannot_work_names_its_key() {
        let problem = |limits: Limits| limits.check().unwrap_err().to_string();
        let limits = Limits::default;
        assert!(limits().check().is_ok());
        assert_eq!(problem(Limits { memory: 1, ..limits() }), "memory: must be 64KiB to 1GiB");
        assert_eq!(problem(Limits { concurrency: 0, ..limits() }), "concurrency: must be 1 to 512");
        assert!(problem(Limits { cpu_time: Duration::ZERO, ..limits() }).starts_with("cpu-time: "));
    }
}
