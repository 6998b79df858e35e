//! A table for people.

use std::fmt;

/// Rows under column heads; all columns but the first are right-aligned.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    remarks: Vec<String>,
}

impl Table {
    pub(super) fn new<const N: usize>(head: [&str; N]) -> Self {
        Self { rows: vec![head.map(str::to_owned).to_vec()], remarks: Vec::new() }
    }

    /// A table with a head of dynamic length.
    pub(super) fn with_head(first: &str, others: impl IntoIterator<Item = String>) -> Self {
        let mut table = Self::default();
        table.line(first, others);
        table
    }

    /// Adds a row of dynamic length.
    pub(super) fn line(&mut self, first: &str, others: impl IntoIterator<Item = String>) {
        self.rows.push(std::iter::once(first.to_owned()).chain(others).collect());
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.to_vec());
    }

    /// A sentence below the table.
    pub(super) fn remark(&mut self, words: impl Into<String>) {
        self.remarks.push(words.into());
    }

    /// The sentences below it, line by line.
    pub(super) fn remarks(&self) -> impl Iterator<Item = &str> {
        self.remarks.iter().flat_map(|remark| remark.lines())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let cell = |row: &[String], column: usize| row.get(column).map_or(0, |cell| cell.chars().count());
        let widths: Vec<_> = (0..columns)
            .map(|column| self.rows.iter().map(|row| cell(row, column)).max().unwrap_or(0))
            .collect();
        for row in &self.rows {
            for (column, (text, width)) in row.iter().zip(&widths).enumerate() {
                match column {
                    0 => write!(f, "{text:<width$}")?,
                    _ => write!(f, "  {text:>width$}")?,
                }
            }
            writeln!(f)?;
        }
        self.remarks.iter().try_for_each(|remark| writeln!(f, "{remark}"))
    }
}

/// Formats microseconds.
pub(super) fn microseconds(us: f64) -> String {
    match us {
        us if us >= 1e6 => format!("{:.2} s", us / 1e6),
        us if us >= 1e3 => format!("{:.2} ms", us / 1e3),
        us => format!("{us:.0} us"),
    }
}

/// Formats a figure that may be unknown on this system.
pub(super) fn known(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "unknown".to_owned(), |value| format!("{value:.digits$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(["what", "p50"]);
        table.row(["a".into(), microseconds(12.0)]);
        table.row(["longer".into(), microseconds(1_500.0)]);
        table.remark("so it was");
        assert_eq!(table.remarks().collect::<Vec<_>>(), ["so it was"]);
        assert_eq!(table.to_string(), "what        p50\na         12 us\nlonger  1.50 ms\nso it was\n");
    }
}
