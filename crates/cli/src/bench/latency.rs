//! Latencies of many requests in an HDR histogram with three significant digits.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// The longest latency that the histogram resolves; longer ones count as this.
const LONGEST: Duration = Duration::from_secs(600);

/// Points of a curve of percentiles, less one.
const CURVE_POINTS: u32 = 200;

/// Latencies so far, in nanoseconds.
#[derive(Debug, Clone)]
pub(super) struct Latency(Histogram<u64>);

/// Summary of latencies, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Percentiles {
    pub(crate) count: u64,
    pub(crate) p50_us: f64,
    pub(crate) p90_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) p999_us: f64,
    pub(crate) max_us: f64,
}

impl Latency {
    pub(super) fn new() -> Self {
        let longest = LONGEST.as_nanos() as u64;
        Self(Histogram::new_with_bounds(1, longest, 3).expect("the bounds are those that it allows"))
    }

    pub(super) fn record(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.0.add(&other.0).expect("all have the same bounds");
    }

    /// Percentiles and their times in milliseconds, up to the highest percentile that the samples resolve.
    pub(super) fn curve(&self) -> Vec<(f64, f64)> {
        let at = |percentile| (percentile, self.0.value_at_percentile(percentile) as f64 / 1e6);
        percentiles_of(self.0.len() as usize).map(at).collect()
    }

    pub(super) fn percentiles(&self) -> Percentiles {
        let at = |percent| self.0.value_at_percentile(percent) as f64 / 1e3;
        Percentiles {
            count: self.0.len(),
            p50_us: at(50.0),
            p90_us: at(90.0),
            p99_us: at(99.0),
            p999_us: at(99.9),
            max_us: self.0.max() as f64 / 1e3,
        }
    }
}

/// Percentiles that this many samples resolve, evenly spread over a logarithmic axis of nines.
fn percentiles_of(samples: usize) -> impl Iterator<Item = f64> {
    let nines = (samples.max(1) as f64).log10();
    (0..=CURVE_POINTS).map(move |point| {
        let nines = nines * f64::from(point) / f64::from(CURVE_POINTS);
        100.0 * (1.0 - 10_f64.powf(-nines))
    })
}

/// The median; `None` of an empty slice.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_samples() {
        let (mut low, mut high) = (Latency::new(), Latency::new());
        (1..=500).for_each(|us| low.record(Duration::from_micros(us)));
        (501..=1_000).for_each(|us| high.record(Duration::from_micros(us)));
        low.add(&high);
        let told = low.percentiles();
        assert_eq!(told.count, 1_000);
        for (value, expected) in [(told.p50_us, 500.0), (told.p99_us, 990.0), (told.max_us, 1_000.0)] {
            assert!((value - expected).abs() / expected < 0.002, "{value} instead of {expected}");
        }
    }

    #[test]
    fn a_curve_ends_at_the_resolution_of_its_samples() {
        let mut latency = Latency::new();
        (1..=1_000).for_each(|us| latency.record(Duration::from_micros(us)));
        let curve = latency.curve();
        assert_eq!(curve[0].0, 0.0);
        let (percentile, ms) = curve[curve.len() - 1];
        assert!((percentile - 99.9).abs() < 1e-6 && (ms - 0.999).abs() < 0.002, "{percentile}: {ms}");
        assert!(curve.is_sorted_by(|one, other| one.0 <= other.0 && one.1 <= other.1));
    }

    #[test]
    fn a_latency_above_the_maximum_counts_as_the_maximum() {
        let mut latency = Latency::new();
        latency.record(LONGEST * 3);
        assert!((latency.percentiles().max_us / LONGEST.as_micros() as f64 - 1.0).abs() < 0.002);
    }

    #[test]
    fn median_of_odd_and_even_counts() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
