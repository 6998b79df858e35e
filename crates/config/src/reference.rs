//! All keys as a table for people, in Markdown: the reference in `docs/configuration.md`.

use super::catalog::{self, KeyEntry, TableEntry};

/// Every key with what can be written, its default and its meaning, in Markdown.
#[must_use]
pub fn reference() -> String {
    let tables = catalog::tables();
    let shared: Vec<&str> = tables.iter().filter(|table| table.name == "session").flat_map(names).collect();
    let mut app = catalog::app();
    app.keys.retain(|key| !shared.contains(&key.name));
    let mut text: String = tables.iter().map(|table| section(&format!("[{}]", table.name), table)).collect();
    text.push_str(&section(&format!("[[{}]]", app.name), &app));
    text.push_str(
        "\nand any key of `[session]`, for this application alone, but `max_active` and `max_table_bytes`, which are the\nnode's.\n",
    );
    text
}

fn names(table: &TableEntry) -> impl Iterator<Item = &'static str> {
    table.keys.iter().map(|key| key.name)
}

fn section(header: &str, table: &TableEntry) -> String {
    let rows: String = table.keys.iter().map(row).collect();
    let meaning = table.meaning;
    format!("\n### `{header}`: {meaning}\n\n| key | value | default | meaning |\n|---|---|---|---|\n{rows}")
}

fn row(key: &KeyEntry) -> String {
    let default = key.default.as_ref().map_or("not set".to_owned(), |default| format!("`{default}`"));
    let value = if key.is_only { "only the default in this version" } else { key.shape.words.as_str() };
    let cells = [format!("`{}`", key.name), value.to_owned(), default, key.meaning.to_owned()];
    // A bar would end the cell, in code as well.
    let cells = cells.map(|cell| cell.replace('|', "\\|"));
    format!("| {} |\n", cells.join(" | "))
}
