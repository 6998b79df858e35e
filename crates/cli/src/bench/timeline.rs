//! Answers over time, for a series across an event: a node's failure, or a join.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::samples::{Samples, milliseconds};

/// Most bins of a series whose width is not given.
const MAX_BINS: u32 = 400;
/// Candidate bin widths; the narrowest that fits is used.
const WIDTHS_MS: [u64; 6] = [20, 50, 100, 200, 500, 1_000];

/// Good answers with their time and duration. Kept for bounded intervals only.
#[derive(Debug, Clone, Default)]
pub(super) struct Timeline(Vec<(Instant, Duration)>);

/// The answers of one bin. Times count from the event of the series.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Bin {
    /// Start of the bin.
    pub(super) from_ms: f64,
    pub(super) count: usize,
    /// `None` without answers.
    pub(super) p50_ms: Option<f64>,
    pub(super) max_ms: Option<f64>,
}

/// The time span of a series.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) from: Instant,
    /// The moment of time 0.
    pub(super) zero: Instant,
    pub(super) to: Instant,
}

impl Timeline {
    pub(super) fn push(&mut self, at: Instant, took: Duration) {
        self.0.push((at, took));
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    /// All bins that lie wholly in the span, including bins without answers: a truncated bin would look like
    /// lost throughput.
    pub(super) fn binned(&self, span: &Span, width: Duration) -> Vec<Bin> {
        let before = whole_bins(span.zero - span.from, width);
        let bins = before + whole_bins(span.to.saturating_duration_since(span.zero), width);
        let start = span.zero - width * before;
        let mut samples = vec![Samples::default(); bins as usize];
        for (at, took) in &self.0 {
            let place = at.checked_duration_since(start).map(|since| since.div_duration_f64(width) as usize);
            if let Some(bin) = place.and_then(|place| samples.get_mut(place)) {
                bin.push(*took);
            }
        }
        let told = samples.iter().zip(0_u32..).map(|(samples, number)| {
            let from_ms = (f64::from(number) - f64::from(before)) * milliseconds(width);
            let known = |time| (samples.len() > 0).then_some(milliseconds(time));
            let [p50_ms, max_ms] = samples.percentiles([0.5, 1.0]).map(known);
            Bin { from_ms, count: samples.len(), p50_ms, max_ms }
        });
        told.collect()
    }
}

impl Span {
    /// A bin width that gives at most [`MAX_BINS`] bins.
    pub(super) fn usual_width(&self) -> Duration {
        let whole = self.to.saturating_duration_since(self.from);
        let mut widths = WIDTHS_MS.map(Duration::from_millis).into_iter();
        widths.find(|width| *width * MAX_BINS >= whole).unwrap_or(whole / MAX_BINS)
    }
}

fn whole_bins(time: Duration, width: Duration) -> u32 {
    time.div_duration_f64(width) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: Duration = Duration::from_millis(50);

    /// A span of 120 ms before and 130 ms after its moment, and a timeline with answers at these
    /// milliseconds.
    fn recorded(answers: &[(i64, u64)]) -> (Timeline, Span) {
        let from = Instant::now();
        let zero = from + Duration::from_millis(120);
        let mut timeline = Timeline::default();
        for (at, took) in answers {
            let since_start = Duration::from_millis(u64::try_from(120 + at).unwrap());
            timeline.push(from + since_start, Duration::from_millis(*took));
        }
        (timeline, Span { from, zero, to: zero + Duration::from_millis(130) })
    }

    #[test]
    fn answers_are_counted_in_whole_bins_around_the_moment() {
        let (mut timeline, span) = recorded(&[
            (-120, 9),
            (-100, 1),
            (-51, 3),
            (-50, 4),
            (-1, 4),
            (0, 5),
            (99, 7),
            (100, 8),
            (129, 8),
        ]);
        timeline.add(&recorded(&[]).0);
        let bins = timeline.binned(&span, WIDTH);
        let counts: Vec<_> = bins.iter().map(|bin| (bin.from_ms, bin.count)).collect();
        assert_eq!(counts, [(-100.0, 2), (-50.0, 2), (0.0, 1), (50.0, 1)], "what is cut short is left out");
        assert_eq!((bins[0].p50_ms, bins[0].max_ms), (Some(1.0), Some(3.0)));
    }

    #[test]
    fn a_pause_is_a_bin_without_answers() {
        let (timeline, span) = recorded(&[(-60, 1), (60, 2)]);
        let bins = timeline.binned(&span, WIDTH);
        assert_eq!(bins.iter().map(|bin| bin.count).collect::<Vec<_>>(), [1, 0, 0, 1]);
        assert_eq!((bins[1].p50_ms, bins[1].max_ms), (None, None));
    }

    #[test]
    fn a_long_span_has_wider_bins() {
        let from = Instant::now();
        for (seconds, millis) in [(1, 20), (8, 20), (9, 50), (100, 500), (4_000, 10_000)] {
            let span = Span { from, zero: from, to: from + Duration::from_secs(seconds) };
            assert_eq!(span.usual_width(), Duration::from_millis(millis), "{seconds} s");
        }
    }
}
