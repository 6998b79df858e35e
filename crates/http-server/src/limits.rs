//! The limits of a client: `[http.limits]` of a node, `[balance.limits]` of a balancer, with the same names.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{duration, size};

/// Bounds of every time in [`Limits`].
pub const TIMES: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(24 * 3_600);
/// Bounds of [`Limits::body_rate`], in bytes a second.
pub const BODY_RATES: RangeInclusive<usize> = 0..=1 << 20;
/// Bounds of [`Limits::head_size`], in bytes. The smallest buffer that the HTTP engine takes is 8 KiB.
pub const HEAD_SIZES: RangeInclusive<usize> = 8 << 10..=1 << 20;
/// Bounds of [`Limits::headers`].
pub const HEADER_COUNTS: RangeInclusive<u32> = 10..=10_000;
/// Bounds of [`Limits::connections`] and [`Limits::connections_per_source`].
pub const CONNECTIONS: RangeInclusive<u32> = 1..=1_000_000;
/// Bounds of [`Limits::h2_streams`].
pub const H2_STREAMS: RangeInclusive<u32> = 1..=10_000;
/// Bounds of [`Limits::h2_control_rate`], in frames a second.
pub const H2_CONTROL_RATES: RangeInclusive<u32> = 1..=100_000;

/// Bounds of time and size for the connections of clients.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// From the first byte of a request's head to its last, and the same for a TLS handshake and a PROXY
    /// header. Default `15s`: a head is a few kilobytes, on the slowest line a second or two.
    #[serde(with = "duration")]
    pub head_timeout: Duration,
    /// How long a connection may wait for its next request. Default `60s`: longer than a reader needs for a
    /// page, shorter than most clients and NAT tables keep a connection.
    #[serde(with = "duration")]
    pub keep_alive: Duration,
    /// How long a request's body may send no byte. Default `30s`.
    #[serde(with = "duration")]
    pub body_idle: Duration,
    /// Fewest bytes a second of a request's body, on average, after the first 10 s; `0B` is no bound.
    /// Default `500B`: slower than any modem, fast enough that a slow attack costs its bandwidth.
    #[serde(with = "size")]
    pub body_rate: usize,
    /// How long an answer's head may take once the request is complete. At the balancer `60s`; at a node
    /// `1h`, which ends what hangs and no report that takes its time.
    #[serde(with = "duration")]
    pub answer_timeout: Duration,
    /// How long a client may take no byte of what it is sent. Default `30s`.
    #[serde(with = "duration")]
    pub write_timeout: Duration,
    /// Most bytes of a head: the request's, and at the balancer the answer's as well. Default `64KiB`.
    #[serde(with = "size")]
    pub head_size: usize,
    /// Most headers of a request, and at the balancer of an answer. Default 200: twice what browsers and
    /// applications send in the worst case.
    pub headers: u32,
    /// Most connections. When they are all taken, the longest idle connection of the source that has most
    /// is closed for a new one; while none is idle, new ones wait in the system's queue. Default 10,000.
    pub connections: u32,
    /// Most connections of one source: an IPv4 address or an IPv6 /64. Trusted proxies have no such bound.
    /// Default 5,000: half of all, so that others always find a place.
    pub connections_per_source: u32,
    /// Most requests at once on one HTTP/2 connection. Default 100, the least that RFC 9113 recommends.
    pub h2_streams: u32,
    /// Most HTTP/2 frames a second, on average over 10 s, that only cost work: SETTINGS, PING, PRIORITY,
    /// RST_STREAM, CONTINUATION and empty DATA. A connection that sends more is closed. Default 100.
    pub h2_control_rate: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(15),
            keep_alive: Duration::from_secs(60),
            body_idle: Duration::from_secs(30),
            body_rate: 500,
            answer_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            head_size: 64 << 10,
            headers: 200,
            connections: 10_000,
            connections_per_source: 5_000,
            h2_streams: 100,
            h2_control_rate: 100,
        }
    }
}

/// A limit that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitError {
    /// The key in the table of limits.
    pub key: &'static str,
    /// Its value as it is written.
    pub value: String,
    /// The problem, and the remedy.
    pub problem: String,
}

impl Limits {
    /// The defaults of a node: only the time for an answer differs.
    #[must_use]
    pub fn of_node() -> Self {
        Self { answer_timeout: Duration::from_secs(3_600), ..Self::default() }
    }

    /// Every time, with its key.
    fn times(&self) -> [(&'static str, Duration); 5] {
        [
            ("head_timeout", self.head_timeout),
            ("keep_alive", self.keep_alive),
            ("body_idle", self.body_idle),
            ("answer_timeout", self.answer_timeout),
            ("write_timeout", self.write_timeout),
        ]
    }

    /// Checks every value against its bounds.
    ///
    /// # Errors
    /// The first value out of bounds.
    pub fn validate(&self) -> Result<(), LimitError> {
        for (key, time) in self.times() {
            if !TIMES.contains(&time) {
                let problem = "write 10ms to 24h".to_owned();
                return Err(LimitError { key, value: format!("{:?}", duration::text(time)), problem });
            }
        }
        for (key, bytes, bounds) in
            [("body_rate", self.body_rate, BODY_RATES), ("head_size", self.head_size, HEAD_SIZES)]
        {
            if !bounds.contains(&bytes) {
                let problem =
                    format!("write {} to {}", size::text(*bounds.start()), size::text(*bounds.end()));
                return Err(LimitError { key, value: format!("{:?}", size::text(bytes)), problem });
            }
        }
        for (key, number, bounds) in [
            ("headers", self.headers, HEADER_COUNTS),
            ("connections", self.connections, CONNECTIONS),
            ("connections_per_source", self.connections_per_source, CONNECTIONS),
            ("h2_streams", self.h2_streams, H2_STREAMS),
            ("h2_control_rate", self.h2_control_rate, H2_CONTROL_RATES),
        ] {
            if !bounds.contains(&number) {
                let problem = format!("write {} to {}", bounds.start(), bounds.end());
                return Err(LimitError { key, value: number.to_string(), problem });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_their_bounds_and_read_back() {
        for limits in [Limits::default(), Limits::of_node()] {
            assert_eq!(limits.validate(), Ok(()));
            let text = toml::to_string(&limits).expect("TOML");
            assert_eq!(toml::from_str::<Limits>(&text).expect("TOML"), limits);
        }
    }

    #[test]
    fn every_value_out_of_bounds_names_its_key() {
        let text = toml::to_string(&Limits::default()).expect("TOML");
        for line in text.lines() {
            let (key, value) = line.split_once(" = ").expect("a line for each key");
            let wrong = match (key, value.contains("iB") || value.contains("B\"")) {
                (_, true) => "\"9MiB\"",
                (_, false) if value.starts_with('"') => "\"25h\"",
                _ => "2000000",
            };
            let limits: Limits = toml::from_str(&format!("{key} = {wrong}")).expect("the right type");
            let error = limits.validate().expect_err(key);
            assert_eq!(error.key, key);
            assert!(error.problem.starts_with("write "), "{error:?}");
        }
    }
}
