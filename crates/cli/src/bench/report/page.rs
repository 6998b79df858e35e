//! A report as one self-contained HTML page.

use std::fmt::{Display, Write as _};

use super::{Figure, Report, Row};

const STYLE: &str = "\
:root{color-scheme:light dark;--paper:#fff;--ink:#222;--line:#ddd;--code:#f3f3f3}\
@media(prefers-color-scheme:dark){:root{--paper:#16181b;--ink:#e4e4e4;--line:#3a3f45;--code:#262a2f}}\
body{font:15px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem;\
color:var(--ink);background:var(--paper);overflow-wrap:anywhere}\
.table{overflow-x:auto;margin:1rem 0}table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
th,td{border-bottom:1px solid var(--line);padding:.25rem .5rem;text-align:right;overflow-wrap:normal}\
th{vertical-align:bottom;font-weight:600}td{white-space:nowrap}\
th:first-child,td:first-child{text-align:left;position:sticky;left:0;background:var(--paper)}\
code{background:var(--code);padding:.1rem .3rem}figure{margin:1.5rem 0}svg{max-width:100%;height:auto}\
svg [fill=\"#FFFFFF\"]{fill:var(--paper)}svg [fill=\"#000000\"]{fill:var(--ink)}\
svg [stroke=\"#000000\"]{stroke:var(--ink)}";

/// The page.
pub(super) fn of(report: &Report) -> String {
    let Report { title, command, machine, rows, notes, plots, .. } = report;
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title} · sessile bench</title>\
         <style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n<p><code>{}</code></p>\n<p>{}</p>\n",
        escaped(command),
        escaped(machine),
        title = escaped(title),
    );
    page.extend(tables(rows).into_iter().map(table));
    for note in notes {
        page += &format!("<p>{}</p>\n", escaped(note));
    }
    for plot in plots {
        page += &format!("<figure>{plot}</figure>\n");
    }
    page + "</body></html>\n"
}

/// One table for rows that share a figure, else one table for each row, so that no column stays empty.
fn tables(rows: &[Row]) -> Vec<&[Row]> {
    let shares =
        |one: &Row, other: &Row| one.figures.iter().any(|figure| other.value(&figure.name).is_some());
    rows.chunk_by(shares).collect()
}

/// One line for each row, one column for each figure that any row has.
fn table(rows: &[Row]) -> String {
    let mut names: Vec<(&str, &str)> = Vec::new();
    for figure in rows.iter().flat_map(|row| &row.figures) {
        if !names.iter().any(|(name, _)| *name == figure.name) {
            names.push((&figure.name, &figure.unit));
        }
    }
    let mut text = "<div class=\"table\"><table><tr><th></th>".to_owned();
    for (name, unit) in &names {
        write!(text, "<th>{} <small>{}</small></th>", escaped(name), escaped(unit))
            .expect("a text takes all");
    }
    text += "</tr>\n";
    for row in rows {
        write!(text, "<tr><td>{}</td>", escaped(&row.name)).expect("a text takes all");
        for (name, _) in &names {
            let figure = row.figures.iter().find(|figure| figure.name == *name);
            let value = figure.map(|figure| figure.words(figure.value)).unwrap_or_default();
            write!(text, "<td>{value}</td>").expect("a text takes all");
        }
        text += "</tr>\n";
    }
    text + "</table></div>\n"
}

/// About three significant digits.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        small if small < 10.0 => format!("{value:.3}"),
        middle if middle < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

impl Figure {
    /// Formats a value of this figure; counts have no decimals.
    pub(crate) fn words(&self, value: f64) -> String {
        match self.unit.is_empty() && value.fract() == 0.0 {
            true => format!("{value:.0}"),
            false => number(value),
        }
    }
}

/// Escapes text for HTML.
fn escaped(text: impl Display) -> String {
    let text = text.to_string();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_without_a_common_figure_get_separate_tables() {
        let row = |name: &str, figures: &[&str]| {
            let mut row = Row::new(name);
            figures.iter().for_each(|figure| row.figure(figure, "", 3.0));
            row
        };
        let rows = [row("join", &["sessions"]), row("before", &["p50", "p99"]), row("after", &["p99"])];
        assert_eq!(tables(&rows).iter().map(|rows| rows.len()).collect::<Vec<_>>(), [1, 2]);
        assert!(tables(&[]).is_empty());
        let text = table(&rows[1..]);
        assert!(text.contains("<td>after</td><td></td><td>3</td>"), "{text}");
    }
}
