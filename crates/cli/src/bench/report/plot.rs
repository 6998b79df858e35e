//! Plots as SVG.

use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::prelude::*;

use super::number;

const WIDTH: u32 = 960;
/// Height of the lines' frame without its legend.
const HEIGHT: u32 = 420;
/// Height of an entry of the legend, and of a bar.
const ENTRY: u32 = 20;
const BAR: u32 = 28;
/// Height of caption and axis around bars.
const AROUND_BARS: u32 = 90;
/// Width of a character of a label, at most.
const CHARACTER: u32 = 8;
const CAPTION: (&str, u32) = ("sans-serif", 20);
const LABEL: (&str, u32) = ("sans-serif", 13);
/// Lower end of a logarithmic axis of milliseconds.
const SHORTEST_MS: f64 = 0.001;
/// Most names below a horizontal axis.
const LABELS: usize = 12;
/// Length and distance of the dashes of a mark, in pixels.
const DASH: (u32, u32) = (6, 4);

/// Radius of an isolated point.
const POINT: u32 = 3;
/// Dash patterns of lines, in this order: lines next to each other in the legend differ without their
/// colours.
const PATTERNS: [&str; 4] = ["", "9 4", "2 3", "12 3 2 3"];
/// Colours of lines, marks and bars, in this order: visible on white and on black.
const COLORS: [RGBColor; 12] = [
    RGBColor(31, 119, 180),
    RGBColor(214, 39, 40),
    RGBColor(44, 160, 44),
    RGBColor(255, 127, 14),
    RGBColor(148, 103, 189),
    RGBColor(140, 86, 75),
    RGBColor(227, 119, 194),
    RGBColor(23, 190, 207),
    RGBColor(188, 189, 34),
    RGBColor(127, 127, 127),
    RGBColor(83, 109, 254),
    RGBColor(0, 150, 136),
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
        // Room for the legend above the lines, in their frame.
        let room = f64::from(HEIGHT + self.legend_height()) / f64::from(HEIGHT);
        if self.logarithmic {
            let (low, high) = (low.max(SHORTEST_MS) * 0.8, high.max(SHORTEST_MS) * 1.2);
            let range = low..low * (high / low).powf(room);
            dashed(drawn(|svg| self.within(svg, range.log_scale())), self.lines.len())
        } else {
            let range = 0.0..high.max(f64::MIN_POSITIVE) * room;
            dashed(drawn(|svg| self.within(svg, range)), self.lines.len())
        }
    }

    fn within<Y>(&self, svg: &mut String, values: Y) -> Drawn
    where
        Y: AsRangedCoord<Value = f64>,
        Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let height = HEIGHT + self.legend_height();
        let area = SVGBackend::with_string(svg, (WIDTH, height)).into_drawing_area();
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
            named.label(*name).legend(move |(x, y)| PathElement::new([(x, y), (x + 28, y)], style));
        }
        let bottom_and_top = chart.y_range();
        // Marks at one position get decreasing widths, so each stays visible.
        for (((name, place), color), width) in self.marks.iter().zip(&mut colors).zip((2..=4).rev().cycle()) {
            let (ends, style) = ([bottom_and_top.start, bottom_and_top.end], color.stroke_width(width));
            let dashes = DashedLineSeries::new(ends.map(|value| (*place, value)), DASH.0, DASH.1, style);
            let mark = chart.draw_series(dashes)?;
            mark.label(name).legend(move |(x, y)| PathElement::new([(x, y), (x + 28, y)], style));
        }
        let labels = &mut chart.configure_series_labels();
        // Percentiles rise to the right, so the legend goes to the upper left.
        labels.position(SeriesLabelPosition::UpperLeft).legend_area_size(34).margin(6);
        labels.label_font(LABEL).draw()?;
        area.present()?;
        Ok(())
    }

    fn legend_height(&self) -> u32 {
        let entries = u32::try_from(self.lines.len() + self.marks.len()).unwrap_or(u32::MAX);
        entries.saturating_add(1).saturating_mul(ENTRY)
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

/// Gives each of the first `lines` its dash pattern.
fn dashed(mut svg: String, lines: usize) -> String {
    for (RGBColor(red, green, blue), pattern) in
        COLORS.into_iter().zip(PATTERNS.into_iter().cycle()).take(lines)
    {
        if !pattern.is_empty() {
            let stroke = format!("stroke=\"#{red:02X}{green:02X}{blue:02X}\"");
            svg = svg.replace(&stroke, &format!("{stroke} stroke-dasharray=\"{pattern}\""));
        }
    }
    svg
}

/// One bar for each name, the first at the top. Names of any length have room beside their bars.
pub(crate) fn bars(caption: &str, unit: &str, bars: &[(&str, f64)]) -> String {
    let last = bars.len().saturating_sub(1);
    let highest = bars.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
    let longest = bars.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let names = (count(longest).saturating_mul(CHARACTER) + 20).min(WIDTH / 2);
    let height = AROUND_BARS + BAR.saturating_mul(count(bars.len()));
    drawn(|svg| {
        let area = SVGBackend::with_string(svg, (WIDTH, height)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(caption, CAPTION)
            .margin(10)
            .margin_right(25)
            .x_label_area_size(40)
            .y_label_area_size(names)
            .build_cartesian_2d(0.0..highest * 1.1, (0..last).into_segmented())?;
        let name = |place: &SegmentValue<usize>| match place {
            SegmentValue::CenterOf(number) => {
                bars.get(last - (*number).min(last)).map_or("", |(name, _)| name).to_owned()
            }
            SegmentValue::Exact(_) | SegmentValue::Last => String::new(),
        };
        chart
            .configure_mesh()
            .disable_y_mesh()
            .light_line_style(TRANSPARENT)
            .y_labels(bars.len())
            .y_label_formatter(&name)
            .x_labels(LABELS)
            .x_desc(unit)
            .x_label_formatter(&|value| tick(*value))
            .label_style(LABEL)
            .draw()?;
        for (number, (_, value)) in bars.iter().enumerate() {
            let place = last - number;
            let below = SegmentValue::Exact(place);
            let above = if place == last { SegmentValue::Last } else { SegmentValue::Exact(place + 1) };
            let color = COLORS[number % COLORS.len()];
            let mut bar = Rectangle::new([(0.0, below), (*value, above)], color.filled());
            bar.set_margin(4, 4, 0, 0);
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
    fn eleven_lines_differ_in_colour_and_their_neighbours_in_pattern() {
        let names: Vec<String> = (0..11).map(|number| format!("line {number}")).collect();
        let line = |name| (name, vec![(0.0, Some(1.0)), (1.0, Some(2.0))]);
        let lines = Lines {
            caption: "many",
            across: Across::Number("ms"),
            unit: "ms",
            logarithmic: false,
            lines: names.iter().map(|name| line(name.as_str())).collect(),
            marks: Vec::new(),
        };
        let svg = lines.draw();
        for (number, RGBColor(red, green, blue)) in COLORS.into_iter().take(11).enumerate() {
            let stroke = format!("stroke=\"#{red:02X}{green:02X}{blue:02X}\"");
            let pattern = PATTERNS[number % PATTERNS.len()];
            assert_eq!(svg.matches(&stroke).count(), 2, "line {number} and its entry in the legend");
            assert_eq!(svg.contains(&format!("{stroke} stroke-dasharray")), !pattern.is_empty(), "{number}");
        }
        let few = Lines { lines: vec![line("one")], ..lines }.draw();
        let height =
            |svg: &str| svg.split("height=\"").nth(1).unwrap().split('"').next().unwrap().parse::<u32>();
        assert!(height(&svg).unwrap() >= height(&few).unwrap() + 10 * ENTRY, "the legend has its own room");
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
