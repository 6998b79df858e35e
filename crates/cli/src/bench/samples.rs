//! Measured times and their summary.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::latency::Latency;

/// Times of one kind, exact and in order of arrival. Reports store them in microseconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Samples(Vec<Duration>);

/// Summary of samples. Times are in milliseconds, as in the article.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) count: usize,
    pub(crate) mean: f64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Samples {
    pub(crate) fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub(crate) fn extend(&mut self, others: &Self) {
        self.0.extend_from_slice(&others.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The quantiles `portions` (nearest rank); zero without samples.
    pub(crate) fn percentiles<const N: usize>(&self, portions: [f64; N]) -> [Duration; N] {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        portions.map(|portion| {
            let rank = (portion.clamp(0.0, 1.0) * sorted.len() as f64).ceil() as usize;
            sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        })
    }

    /// Percentiles and their times in milliseconds, up to the highest percentile that the samples resolve.
    pub(crate) fn curve(&self) -> Vec<(f64, f64)> {
        let mut latency = Latency::new();
        self.0.iter().for_each(|time| latency.record(*time));
        latency.curve()
    }

    pub(crate) fn mean(&self) -> Duration {
        let count = u32::try_from(self.len()).unwrap_or(u32::MAX);
        self.0.iter().sum::<Duration>().checked_div(count).unwrap_or_default()
    }

    pub(crate) fn summary(&self) -> Summary {
        let [min, p50, p90, p99, max] = self.percentiles([0.0, 0.5, 0.9, 0.99, 1.0]).map(milliseconds);
        Summary { count: self.len(), mean: milliseconds(self.mean()), p50, p90, p99, min, max }
    }
}

impl Serialize for Samples {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|time| time.as_nanos() as f64 / 1e3))
    }
}

impl<'de> Deserialize<'de> for Samples {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let micros: Vec<f64> = Vec::deserialize(deserializer)?;
        let times = micros.into_iter().map(|micros| {
            Duration::try_from_secs_f64(micros / 1e6)
                .map_err(|error| serde::de::Error::custom(format!("{micros} microseconds: {error}")))
        });
        Ok(Self(times.collect::<Result<_, _>>()?))
    }
}

/// A time in milliseconds.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_millis(times: impl IntoIterator<Item = u64>) -> Samples {
        Samples(times.into_iter().map(Duration::from_millis).collect())
    }

    #[test]
    fn a_hundred_samples_have_their_own_percentiles() {
        let samples = of_millis((1..=100).rev());
        let Summary { count, mean, p50, p90, p99, min, max } = samples.summary();
        assert_eq!(count, 100);
        assert_eq!([mean, p50, p90, p99, min, max], [50.5, 50.0, 90.0, 99.0, 1.0, 100.0]);
    }

    #[test]
    fn one_sample_is_every_percentile_and_none_is_zero() {
        assert_eq!(of_millis([7]).percentiles([0.0, 0.5, 1.0]), [Duration::from_millis(7); 3]);
        assert_eq!(Samples::default().summary(), Summary::default());
    }

    #[test]
    fn samples_survive_serialisation() {
        let samples = Samples(vec![Duration::from_nanos(1_500), Duration::from_millis(20)]);
        let text = serde_json::to_string(&samples).unwrap();
        assert_eq!(text, "[1.5,20000.0]");
        assert_eq!(serde_json::from_str::<Samples>(&text).unwrap(), samples);
        assert!(serde_json::from_str::<Samples>("[-1]").is_err());
    }
}
