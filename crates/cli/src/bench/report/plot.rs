//! Drawings of what was measured, as SVG.

use plotters::prelude::*;

use super::super::samples::{Samples, milliseconds};

const SIZE: (u32, u32) = (960, 420);
const CAPTION: (&str, u32) = ("sans-serif", 20);
const LABEL: (&str, u32) = ("sans-serif", 13);
/// Points of a line of percentiles.
const POINTS: u32 = 200;
/// Lower end of a logarithmic axis of milliseconds.
const SHORTEST_MS: f64 = 0.001;

type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Every percentile of each kind of samples, times on a logarithmic axis.
pub(crate) fn percentiles(caption: &str, lines: &[(&str, &Samples)]) -> String {
    let longest = lines.iter().map(|(_, samples)| samples.summary().max).fold(SHORTEST_MS, f64::max);
    let shortest = lines.iter().map(|(_, samples)| samples.summary().min).fold(longest, f64::min);
    let range = (shortest.max(SHORTEST_MS) * 0.8..longest * 1.2).log_scale();
    drawn(|svg| {
        let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(caption, CAPTION)
            .margin(10)
            .x_label_area_size(35)
            .y_label_area_size(60)
            .build_cartesian_2d(0.0..100.0, range)?;
        chart.configure_mesh().x_desc("percentile").y_desc("ms").label_style(LABEL).draw()?;
        for (number, (name, samples)) in lines.iter().enumerate() {
            let color = Palette99::pick(number).to_rgba();
            let line = (0..=POINTS).map(|point| {
                let portion = f64::from(point) / f64::from(POINTS);
                let [time] = samples.percentiles([portion]).map(milliseconds);
                (portion * 100.0, time.max(SHORTEST_MS))
            });
            let series = chart.draw_series(LineSeries::new(line, color.stroke_width(2)))?;
            series
                .label(*name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
        }
        // The lines rise to the right, and the longest times are what matters.
        let labels = &mut chart.configure_series_labels();
        labels.position(SeriesLabelPosition::UpperLeft).background_style(WHITE.mix(0.8));
        labels.label_font(LABEL).draw()?;
        area.present()?;
        Ok(())
    })
}

/// One bar for each name.
pub(crate) fn bars(caption: &str, unit: &str, bars: &[(&str, f64)]) -> String {
    let highest = bars.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
    drawn(|svg| {
        let area = SVGBackend::with_string(svg, SIZE).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(caption, CAPTION)
            .margin(10)
            .x_label_area_size(35)
            .y_label_area_size(60)
            .build_cartesian_2d((0..bars.len()).into_segmented(), 0.0..highest * 1.1)?;
        let name = |place: &SegmentValue<usize>| match place {
            SegmentValue::CenterOf(number) => bars.get(*number).map_or("", |(name, _)| name).to_owned(),
            SegmentValue::Exact(_) | SegmentValue::Last => String::new(),
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(bars.len())
            .x_label_formatter(&name)
            .y_desc(unit)
            .label_style(LABEL)
            .draw()?;
        for (number, (_, value)) in bars.iter().enumerate() {
            let (left, right) = (SegmentValue::Exact(number), SegmentValue::Exact(number + 1));
            let mut bar = Rectangle::new([(left, 0.0), (right, *value)], Palette99::pick(number).filled());
            bar.set_margin(0, 0, 8, 8);
            chart.draw_series([bar])?;
        }
        area.present()?;
        Ok(())
    })
}

/// The drawing, or words that say why there is none.
pub(crate) fn drawn(draw: impl FnOnce(&mut String) -> Drawn) -> String {
    let mut svg = String::new();
    match draw(&mut svg) {
        Ok(()) => svg,
        Err(error) => format!("<p>this could not be drawn: {error}</p>"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn plots_hold_what_they_are_given() {
        let mut samples = Samples::default();
        (1..=50).for_each(|millis| samples.push(Duration::from_millis(millis)));
        let svg = percentiles("response", &[("DPS2", &samples), ("empty", &Samples::default())]);
        for part in ["<svg", "response", "DPS2", "percentile", "</svg>"] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
        let svg = bars("mean", "ms", &[("DPS2", 6.0), ("DPL2", 63.0)]);
        for part in ["<svg", "DPS2", "DPL2", "</svg>"] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
    }
}
