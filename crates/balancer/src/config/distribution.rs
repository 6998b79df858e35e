//! The parts of `[balance]` that say how requests are distributed, and what is told of them.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sessile_http_server::duration;

use super::{BalanceConfig, BalancerConfigError};
use crate::access_log::AccessLogFormat;
use crate::error_response::PAGE_STATUSES;

/// Bounds of waits and of the time that a node is left out.
const TIMES: std::ops::RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(3_600);
/// Most requests that may wait.
const MAX_QUEUE: u32 = 100_000;

/// The table `[balance.queue]`: where requests wait that no node can take.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueueConfig {
    /// Most requests that wait, 0 to 100,000; further ones are answered 503 at once. Default 1,000.
    pub length: u32,
    /// Longest wait, to 1h; then the answer is 503. It bridges the moment between a node's death and the
    /// readiness of the others. Default `3s`.
    #[serde(with = "duration")]
    pub wait: Duration,
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self { length: 1_000, wait: Duration::from_secs(3) }
    }
}

/// The table `[balance.outlier]`: when a node that fails is left out though its health path answers.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutlierConfig {
    /// Failures in a row: no answer, a broken one, 502 or 504. 0: no node is left out. Default 5.
    pub failures: u32,
    /// How long it is left out the first time, to 1h; each time in a row longer, up to tenfold. Default
    /// `10s`.
    #[serde(with = "duration")]
    pub time: Duration,
    /// Most nodes that are left out, in percent of all: of two or more at least one, never the last. Default
    /// 50.
    pub percent: u32,
}

impl Default for OutlierConfig {
    fn default() -> Self {
        Self { failures: 5, time: Duration::from_secs(10), percent: 50 }
    }
}

/// The table `[balance.access_log]`: one line for each request or TCP connection.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AccessLogConfig {
    /// The file; `-` is the standard output. A reload opens it anew.
    pub file: PathBuf,
    /// `common`, `combined` or `json`. Default `combined`.
    #[serde(default)]
    pub format: AccessLogFormat,
}

impl BalanceConfig {
    pub(super) fn validate_distribution(&self) -> Result<(), BalancerConfigError> {
        for (key, percent) in
            [("retry_percent", self.retry_percent), ("outlier.percent", self.outlier.percent)]
        {
            if percent > 100 {
                return Err(BalancerConfigError::new(format!("balance.{key}"), percent, "write 0 to 100"));
            }
        }
        let times = [
            ("slow_start", self.slow_start),
            ("queue.wait", self.queue.wait),
            ("outlier.time", self.outlier.time),
        ];
        for (key, time) in times {
            if !TIMES.contains(&time) {
                let value = duration::text(time);
                return Err(BalancerConfigError::new(format!("balance.{key}"), value, "write 0s to 1h"));
            }
        }
        if self.queue.length > MAX_QUEUE {
            let problem = format!("write 0 to {MAX_QUEUE}");
            return Err(BalancerConfigError::new("balance.queue.length", self.queue.length, problem));
        }
        let known = |status: &String| status.parse().is_ok_and(|status| PAGE_STATUSES.contains(&status));
        match self.error_pages.keys().find(|status| !known(status)) {
            Some(status) => {
                let problem = format!("the balancer itself answers {PAGE_STATUSES:?} only");
                Err(BalancerConfigError::new("balance.error_pages", status, problem))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::BalancerConfig;

    fn read(keys: &str) -> BalancerConfig {
        toml::from_str(&format!(
            "[balance]\n{keys}\n[[node]]\nname = \"tc01\"\naddress = \"127.0.0.1:9080\"\nmax_requests = 7\n"
        ))
        .unwrap()
    }

    #[test]
    fn keys_are_read_and_shown_again() {
        let config = read(
            "algorithm = \"two-choices\"\nslow_start = \"30s\"\noperators = [\"10.0.0.0/8\"]\n\
             queue = { length = 5 }\nerror_pages = { 503 = \"503.html\" }\naccess_log = { file = \"-\" }",
        );
        assert_eq!(config.validate(), Ok(()));
        assert_eq!((config.balance.queue.length, config.balance.queue.wait.as_secs()), (5, 3));
        assert_eq!(config.nodes[0].max_requests, 7);
        let shown = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<BalancerConfig>(&shown).unwrap(), config, "{shown}");
    }

    #[test]
    fn every_wrong_value_names_its_key() {
        for (keys, key) in [
            ("retry_percent = 101", "balance.retry_percent"),
            ("outlier = { percent = 101 }", "balance.outlier.percent"),
            ("outlier = { time = \"2h\" }", "balance.outlier.time"),
            ("slow_start = \"2h\"", "balance.slow_start"),
            ("queue = { length = 100001 }", "balance.queue.length"),
            ("queue = { wait = \"2h\" }", "balance.queue.wait"),
            ("error_pages = { 200 = \"x\" }", "balance.error_pages"),
            ("error_pages = { sorry = \"x\" }", "balance.error_pages"),
        ] {
            let error = read(keys).validate().unwrap_err();
            assert_eq!(error.key(), key, "{error}");
        }
    }
}
