//! A node's metrics, read from its admin port in the Prometheus text format.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use http::{Method, StatusCode};

use crate::connection::Connection;
use crate::failure::Failure;

/// Every sample with its labels, of one node or summed over several nodes.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Exposed(BTreeMap<String, f64>);

/// A histogram of times: the sum is exact, a percentile is the upper bound of its bucket.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Steps {
    pub(crate) count: f64,
    sum_seconds: f64,
    /// Upper bounds in seconds with cumulative counts, shortest first.
    below: Vec<(f64, f64)>,
}

impl Exposed {
    /// Reads the metrics at the admin port `admin`.
    pub(crate) async fn ask(admin: SocketAddr) -> Result<Self, Failure> {
        let failed = |words: String| Failure::Failed(format!("http://{admin}/metrics: {words}"));
        let answer = Connection::new(admin).send(Method::GET, "/metrics", None).await;
        let answer = answer.map_err(|none| failed(none.to_string()))?;
        if answer.status != StatusCode::OK {
            return Err(failed(answer.words()));
        }
        Ok(Self::parse(&String::from_utf8_lossy(&answer.body)))
    }

    /// Reads and sums the metrics of several nodes.
    pub(crate) async fn ask_all(admins: &[SocketAddr]) -> Result<Self, Failure> {
        let mut sum = Self::default();
        for admin in admins {
            for (name, value) in Self::ask(*admin).await?.0 {
                *sum.0.entry(name).or_default() += value;
            }
        }
        Ok(sum)
    }

    fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let samples = lines.filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Self(samples.collect())
    }

    /// The increase since `before`.
    pub(crate) fn since(mut self, before: &Self) -> Self {
        for (name, value) in &mut self.0 {
            *value -= before.0.get(name).copied().unwrap_or_default();
        }
        self
    }

    /// An unlabelled sample by its name; zero if absent.
    pub(crate) fn value(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// The sum over all labels of the samples of that name.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        let labelled = format!("{name}{{");
        let of_name = self.0.iter().filter(|(key, _)| *key == name || key.starts_with(&labelled));
        of_name.map(|(_, value)| value).sum()
    }

    /// A histogram, summed over the values of its only label.
    pub(crate) fn steps(&self, name: &str) -> Steps {
        let all = |suffix: &str| {
            let begins = format!("{name}_{suffix}{{");
            self.0.iter().filter(move |(key, _)| key.starts_with(&begins))
        };
        let sum = |suffix| all(suffix).map(|(_, value)| value).sum();
        let mut below: Vec<(f64, f64)> = all("bucket")
            .filter_map(|(key, count)| {
                let (_, bound) = key.split_once("le=\"")?;
                Some((bound.split('"').next()?.parse::<f64>().ok()?, *count))
            })
            .collect();
        below.sort_by(|one, other| one.0.total_cmp(&other.0));
        Steps { count: sum("count"), sum_seconds: sum("sum"), below }
    }
}

impl Steps {
    pub(crate) fn mean_ms(&self) -> f64 {
        if self.count > 0.0 { self.sum_seconds * 1e3 / self.count } else { 0.0 }
    }

    /// The upper bound of the bucket that holds the quantile `portion`.
    pub(crate) fn percentile_ms(&self, portion: f64) -> f64 {
        let rank = (portion * self.count).max(1.0);
        let found = self.below.iter().find(|(_, count)| *count >= rank);
        found.map_or(0.0, |(seconds, _)| seconds * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# TYPE sessile_wait_seconds histogram\n\
        sessile_wait_seconds_bucket{app=\"/a\",le=\"0.001\"} 10\nsessile_wait_seconds_bucket{app=\"/a\",le=\"0.01\"} 99\n\
        sessile_wait_seconds_bucket{app=\"/a\",le=\"0.002\"} 50\nsessile_wait_seconds_bucket{app=\"/a\",le=\"+Inf\"} 100\n\
        sessile_wait_seconds_sum{app=\"/a\"} 0.5\nsessile_wait_seconds_count{app=\"/a\"} 100\nsessile_bytes_sent_total 4110\n";

    #[test]
    fn percentiles_are_upper_bounds_of_buckets() {
        let exposed = Exposed::parse(TEXT);
        let steps = exposed.steps("sessile_wait_seconds");
        assert_eq!((steps.count, steps.mean_ms()), (100.0, 5.0));
        assert_eq!([0.1, 0.5, 0.99].map(|portion| steps.percentile_ms(portion)), [1.0, 2.0, 10.0]);
        assert_eq!(steps.percentile_ms(1.0), f64::INFINITY);
        assert_eq!(exposed.value("sessile_bytes_sent_total"), 4110.0);
        assert_eq!(exposed.sum("sessile_wait_seconds_bucket"), 259.0);
        assert_eq!(exposed.sum("sessile_bytes_sent_total"), 4110.0);
        assert_eq!(exposed.steps("sessile_other_seconds").percentile_ms(0.99), 0.0);
    }

    #[test]
    fn since_subtracts_the_earlier_counts() {
        let since = Exposed::parse(TEXT).since(&Exposed::parse(TEXT));
        assert_eq!(since.value("sessile_bytes_sent_total"), 0.0);
        assert_eq!(since.steps("sessile_wait_seconds").mean_ms(), 0.0);
    }
}
