//! Resource limits of components.

use std::time::Duration;

use serde::Deserialize;

use super::error::ComponentError;
use super::measure::{bytes, time};

/// The largest allowed `memory`: each instance reserves this much address space.
pub(super) const MAX_MEMORY: usize = 1 << 30;
/// The largest allowed `concurrency`.
pub(super) const MAX_CONCURRENCY: usize = 512;
/// The longest allowed `queue`.
const MAX_QUEUE: usize = 65_536;

/// Resource limits of a component. A request over a limit fails and the node keeps running. In a manifest
/// sizes are written `"64MiB"` and times `"2s"`; missing keys keep their defaults.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct GuestLimits {
    /// Linear memory of one instance, in bytes. Allocations beyond it fail. 64 KiB to 1 GiB; 64 MiB.
    #[serde(deserialize_with = "bytes")]
    pub memory: usize,
    /// CPU time of one request, without waiting. 10 ms to 10 min; 2 s.
    #[serde(deserialize_with = "time")]
    pub cpu_time: Duration,
    /// Total time of one request, from the end of its queueing to the end of its body. 10 ms to 1 h; 30 s.
    #[serde(deserialize_with = "time")]
    pub request_time: Duration,
    /// Requests that run at once on a node. 1 to 512; 64.
    pub concurrency: usize,
    /// Requests that queue for that on a node; further ones get 503. 0 to 65,536; 256.
    pub queue: usize,
    /// The largest request body, in bytes; a larger one gets 413. 8 MiB.
    #[serde(deserialize_with = "bytes")]
    pub body: usize,
}

impl Default for GuestLimits {
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

impl GuestLimits {
    /// Refuses values out of range.
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

    fn limits(text: &str) -> Result<GuestLimits, String> {
        toml::from_str::<GuestLimits>(text).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn missing_keys_keep_their_defaults() {
        assert_eq!(limits("").unwrap(), GuestLimits::default());
        let set = limits("memory = \"16MiB\"\ncpu-time = \"500ms\"\nbody = 4096").unwrap();
        let half = Duration::from_millis(500);
        assert_eq!(
            set,
            GuestLimits { memory: 16 << 20, cpu_time: half, body: 4096, ..GuestLimits::default() }
        );
    }

    #[test]
    fn unreadable_values_are_named() {
        assert!(limits("memry = 1").unwrap_err().contains("memry"));
        assert!(limits("memory = \"16 potatoes\"").unwrap_err().contains("64MiB"));
        assert!(limits("cpu-time = 2").unwrap_err().contains("2s"));
    }

    #[test]
    fn out_of_range_values_name_their_key() {
        let problem = |limits: GuestLimits| limits.check().unwrap_err().to_string();
        let limits = GuestLimits::default;
        assert!(limits().check().is_ok());
        assert_eq!(problem(GuestLimits { memory: 1, ..limits() }), "memory: must be 64KiB to 1GiB");
        assert_eq!(problem(GuestLimits { concurrency: 0, ..limits() }), "concurrency: must be 1 to 512");
        assert!(problem(GuestLimits { cpu_time: Duration::ZERO, ..limits() }).starts_with("cpu-time: "));
    }
}
