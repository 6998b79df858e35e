//! Where each key of a configuration file stands, so that a check of two values can point at them.

use std::collections::HashMap;
use std::ops::Range;

/// The spans of the tables and values that the file gives.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// By table (`membership`, `app[0]`) and key; the empty key is the table's header.
    spans: HashMap<(String, &'static str), Range<usize>>,
}

impl Places {
    pub(super) fn note_table(&mut self, table: &str, span: Range<usize>) {
        self.spans.insert((table.to_owned(), ""), span);
    }

    pub(super) fn note_value(&mut self, table: &str, key: &'static str, span: Range<usize>) {
        self.spans.insert((table.to_owned(), key), span);
    }

    /// Whether the file gives that key.
    pub(super) fn gives(&self, table: &str, key: &'static str) -> bool {
        self.spans.contains_key(&(table.to_owned(), key))
    }

    /// The value of the first of these keys that the file gives; else the first table's header; else the
    /// first byte.
    pub(super) fn of(&self, keys: &[(&str, &'static str)]) -> Range<usize> {
        let headers = keys.iter().map(|(table, _)| (*table, ""));
        keys.iter()
            .copied()
            .chain(headers)
            .find_map(|(table, key)| self.spans.get(&(table.to_owned(), key)).cloned())
            .unwrap_or(0..0)
    }
}
