//! Plots as SVG.

use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;

use super::number;

const SIZE: (u32, u32) = (960, 420);
const CAPTION: (&str, u32) = ("sans-serif", 20);
const LABEL: (&str, u32) = ("sans-serif", 13);
/// Lower end of a logarithmic axis of milliseconds.
const SHORTEST_MS: f64 = 0.001;
/// Most names below a horizontal axis.
const LABELS: usize = 12;
/// Length and distance of the dashes of a mark, in pixels.
const DASH: (u32, u32) = (6, 4);

/// Share of the plot height for each legend entry.
const NAME_ROOM: f64 = 0.05;
/// Radius of an isolated point.
const POINT: u32 = 3;
/// Colours of lines, marks and bars, in this order.
const COLORS: [RGBColor; 8] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(44, 160, 44),
    RGBColor(255, 127, 14),
    RGBColor(148, 103, 189),
    RGBColor(140, 86, 75),
    RGBColor(227, 119, 194),
    RGBColor(23, 190, 207),
];
const NAMESPACE: &str = " xmlns=\"http://www.w3.org/2000/svg\"";

type Drawn = Result<(), Box<dyn std::error::Error>>;
/// A position on the horizontal axis, and a value if there is one.
pub(crate) type Point = (f64, Option<f64>);

/// Lines in one frame.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    pub(crate) caption: &'a str,
    pub(crate) across: Across<'a>,
    /// Unit of the values.
    pub(crate) unit: &'a str,
    /// Values on a logarithmic axis, for times in milliseconds.
    pub(crate) logarithmic: bool,
    pub(crate) lines: Vec<(&'a str, Vec<Point>)>,
    /// Moments, drawn as vertical lines.
    pub(crate) marks: Vec<(String, f64)>,
}

/// The horizontal axis.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Across<'a> {
    /// Numbers, for example milliseconds.
    Number(&'a str),
    /// Percentiles by their nines: 0, 90, 99, 99.9 are equally far from each other.
    Percentiles,
    /// Named steps at equal distances: the first is at 0, the next at 1.
    Steps(&'a str, &'a [String]),
}

/// Every percentile of each kind of latencies, times on a logarithmic axis.
pub(crate) fn percentiles(caption: &str, curves: &[(&str, Vec<(f64, f64)>)]) -> String {
    let nines = |(percentile, ms): &(f64, f64)| (-(1.0 - percentile / 100.0).log10(), Some(*ms));
    let lines = curves.iter().map(|(name, curve)| (*name, curve.iter().map(nines).collect()));
    let (lines, across) = (lines.collect(), Across::Percentiles);
    Lines { caption, across, unit: "ms", logarithmic: true, lines, marks: Vec::new() }.draw()
}

impl Across<'_> {
    fn title(&self) -> &str {
        match self {
            Self::Number(name) | Self::Steps(name, _) => name,
            Self::Percentiles => "percentile",
        }
    }

    fn label(&self, place: f64) -> String {
        let whole = ((place - place.round()).abs() < 1e-6).then(|| place.round().max(0.0) as usize);
        match (self, whole) {
            (Self::Number(_), _) => format!("{place:.0}"),
            (Self::Percentiles, Some(0)) => "0".to_owned(),
            (Self::Percentiles, Some(nines)) => {
                format!("{:.*}", nines.saturating_sub(2), 100.0 - 100.0 / 10_f64.powf(nines as f64))
            }
            (Self::Steps(_, names), Some(step)) if place > -0.5 => {
                names.get(step).cloned().unwrap_or_default()
            }
            (Self::Percentiles | Self::Steps(..), _) => String::new(),
        }
    }
}

impl Lines<'_> {
    /// The drawing.
    pub(crate) fn draw(&self) -> String {
        let points = || self.lines.iter().flat_map(|(_, points)| points);
        let values = || points().filter_map(|(_, value)| *value).filter(|value| value.is_finite());
        if values().next().is_none() {
            return format!("<p>{}: nothing was measured</p>", self.caption);
        }
        let (low, high) = (values().fold(f64::MAX, f64::min), values().fold(0.0, f64::max));
        // Room for the legend above the lines.
        let room = 1.0 / (1.0 - NAME_ROOM * (self.lines.len() + self.marks.len() + 1).min(10) as f64);
        if self.logarithmic {
            let (low, high) = (low.max(SHORTEST_MS) * 0.8, high.max(SHORTEST_MS) * 1.2);
            let range = low..low * (high / low).powf(room);
            drawn(|svg| self.within(svg, range.log_scale()))
        } else {
            drawn(|svg| self.within(svg, 0.0..high.max(f64::MIN_POSITIVE) * room))
        }
    }

    fn within<Y>(&self, svg: &mut String, values: Y) -> Drawn
    where
        Y: AsRangedCoord<Value = f64>,
        Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(self.caption, CAPTION)
            .margin(10)
            .margin_right(25)
            .x_label_area_size(40)
            .y_label_area_size(75)
            .build_cartesian_2d(self.width(), values)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_labels(LABELS)
            .x_desc(self.across.title())
            .x_label_formatter(&|place| self.across.label(*place))
            .y_desc(self.unit)
            .y_label_formatter(&|value| tick(*value))
            .label_style(LABEL)
            .draw()?;
        let mut colors = COLORS.into_iter().cycle();
        for ((name, points), color) in self.lines.iter().zip(&mut colors) {
            let style = color.stroke_width(2);
            // A line is broken where values are missing.
            for piece in points.split(|(_, value)| value.is_none()) {
                let point_size = if piece.len() == 1 { POINT } else { self.point_size() };
                let least = if self.logarithmic { SHORTEST_MS } else { 0.0 };
                let piece =
                    piece.iter().filter_map(|(place, value)| Some((*place, value.as_ref()?.max(least))));
                chart.draw_series(LineSeries::new(piece, style).point_size(point_size))?;
            }
            let named = chart.draw_series(std::iter::empty::<PathElement<(f64, f64)>>())?;
            named.label(*name).legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        }
        let bottom_and_top = chart.y_range();
        // Marks at one position get decreasing widths, so each stays visible.
        for (((name, place), color), width) in self.marks.iter().zip(&mut colors).zip((2..=4).rev().cycle()) {
            let (ends, style) = ([bottom_and_top.start, bottom_and_top.end], color.stroke_width(width));
            let dashes = DashedLineSeries::new(ends.map(|value| (*place, value)), DASH.0, DASH.1, style);
            let mark = chart.draw_series(dashes)?;
            mark.label(name).legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
        }
        let labels = &mut chart.configure_series_labels();
        // Percentiles rise to the right, so the legend goes to the upper left.
        labels.position(SeriesLabelPosition::UpperLeft).background_style(WHITE.mix(0.8));
        labels.label_font(LABEL).draw()?;
        area.present()?;
        Ok(())
    }

    /// The range of the horizontal axis.
    fn width(&self) -> std::ops::Range<f64> {
        let measured = self.lines.iter().flat_map(|(_, points)| points).map(|(place, _)| *place);
        let places = || measured.clone().chain(self.marks.iter().map(|(_, place)| *place));
        let (left, right) = (places().fold(f64::MAX, f64::min), places().fold(f64::MIN, f64::max));
        match self.across {
            Across::Steps(_, names) => -0.5..names.len() as f64 - 0.5,
            // A single sample still needs a range.
            _ if left >= right => left..left + 1.0,
            _ => left..right,
        }
    }

    /// Steps are few, so their points are shown.
    fn point_size(&self) -> u32 {
        if matches!(self.across, Across::Steps(..)) { POINT } else { 0 }
    }
}

/// An axis label without insignificant digits.
fn tick(value: f64) -> String {
    let text = number(value);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// One bar for each name.
pub(crate) fn bars(caption: &str, unit: &str, bars: &[(&str, f64)]) -> String {
    let last = bars.len().saturating_sub(1);
    let highest = bars.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
    drawn(|svg| {
        let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(caption, CAPTION)
            .margin(10)
            .x_label_area_size(35)
            .y_label_area_size(75)
            .build_cartesian_2d((0..last).into_segmented(), 0.0..highest * 1.1)?;
        let name = |place: &SegmentValue<usize>| match place {
            SegmentValue::CenterOf(number) => bars.get(*number).map_or("", |(name, _)| name).to_owned(),
            SegmentValue::Exact(_) | SegmentValue::Last => String::new(),
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .x_labels(bars.len())
            .x_label_formatter(&name)
            .y_desc(unit)
            .y_label_formatter(&|value| tick(*value))
            .label_style(LABEL)
            .draw()?;
        for (number, (_, value)) in bars.iter().enumerate() {
            let left = SegmentValue::Exact(number);
            let right = if number == last { SegmentValue::Last } else { SegmentValue::Exact(number + 1) };
            let mut bar =
                Rectangle::new([(left, 0.0), (right, *value)], COLORS[number % COLORS.len()].filled());
            bar.set_margin(0, 0, 8, 8);
            chart.draw_series([bar])?;
        }
        area.present()?;
        Ok(())
    })
}

/// The plot, or a text that explains why it failed.
fn drawn(draw: impl FnOnce(&mut String) -> Drawn) -> String {
    let mut svg = String::new();
    match draw(&mut svg) {
        // Inline SVG needs no namespace, and the namespace looks like an external address.
        Ok(()) => svg.replacen(NAMESPACE, "", 1),
        Err(error) => format!("<p>this could not be drawn: {error}</p>"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::Samples;
    use super::*;

    fn holds(svg: &str, parts: &[&str]) {
        for part in [&["<svg", "</svg>"], parts].concat() {
            assert!(svg.contains(part), "{part}: {svg}");
        }
        assert!(!svg.contains("http"), "it can be read offline: {svg}");
    }

    #[test]
    fn plots_contain_captions_labels_and_marks() {
        let mut samples = Samples::default();
        (1..=50).for_each(|millis| samples.push(Duration::from_millis(millis)));
        let curves = [("DPS2", samples.curve()), ("empty", Samples::default().curve())];
        holds(&percentiles("response", &curves), &["response", "DPS2", "percentile"]);
        holds(&bars("mean", "ms", &[("DPS2", 6.0), ("DPL2", 63.0)]), &["DPS2", "DPL2"]);
    }

    #[test]
    fn a_line_is_broken_at_missing_values() {
        let points =
            vec![(-1.0, Some(1.0)), (0.0, Some(2.0)), (1.0, None), (2.0, Some(3.0)), (3.0, Some(1.0))];
        let lines = Lines {
            caption: "a kill",
            across: Across::Number("ms"),
            unit: "writes",
            logarithmic: false,
            lines: vec![("writes", points)],
            marks: vec![("killed".to_owned(), 0.0)],
        };
        let svg = lines.draw();
        holds(&svg, &["a kill", "killed"]);
        let whole = Lines { lines: vec![("writes", vec![(0.0, Some(1.0)), (3.0, Some(1.0))])], ..lines };
        assert!(svg.matches("<polyline").count() > whole.draw().matches("<polyline").count(), "{svg}");
        let nothing = Lines { lines: vec![("writes", vec![(0.0, None)])], ..whole };
        assert_eq!(nothing.draw(), "<p>a kill: nothing was measured</p>");
    }

    #[test]
    fn step_axes_show_the_names_of_steps() {
        let names = ["1", "16"].map(str::to_owned);
        let steps = Across::Steps("connections", &names);
        assert_eq!([-0.5, 0.0, 0.5, 1.0, 2.0].map(|place| steps.label(place)), ["", "1", "", "16", ""]);
        let nines = [0.0, 1.0, 1.5, 2.0, 3.0, 4.0].map(|nines| Across::Percentiles.label(nines));
        assert_eq!(nines, ["0", "90", "", "99", "99.9", "99.99"]);
        assert_eq!([0.001, 0.05, 2.0, 40.0, 1_000.0].map(tick), ["0.001", "0.05", "2", "40", "1000"]);
    }
}
