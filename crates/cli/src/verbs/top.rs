//! `sessile top`: shows the replication cost of attributes and routes on a node.

use clap::Args;
use serde_json::Value;

use crate::admin_client::NodeArgument;
use crate::failure::Failure;
use crate::{output, runtime};

/// Default number of rows of each table.
const ROWS: usize = 10;

/// Arguments of `top`.
#[derive(Debug, Args)]
pub(crate) struct Top {
    #[command(flatten)]
    node: NodeArgument,
    /// Rows of each table, at most 64
    #[arg(long, value_name = "N", default_value_t = ROWS)]
    rows: usize,
}

impl Top {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let client = self.node.client()?;
        let apps = runtime::run(async { Ok(client.get("/top").await?) })?;
        if output::is_json() {
            return output::document(&apps);
        }
        output::print(shown(&apps, self.rows).trim_end())
    }
}

/// The tables for people.
fn shown(apps: &Value, rows: usize) -> String {
    let apps = apps.as_array().into_iter().flatten();
    let tables = apps.map(|app| {
        let path = app["app"].as_str().unwrap_or("?");
        let (attributes, routes) =
            (table("ATTRIBUTE", &app["attributes"], rows), table("ROUTE", &app["routes"], rows));
        format!("{path}\n{attributes}\n{routes}\n")
    });
    tables.collect()
}

fn table(what: &str, found: &Value, rows: usize) -> String {
    let found = found.as_array().map(Vec::as_slice).unwrap_or_default();
    if found.is_empty() {
        return format!("  {what}: nothing was committed yet\n");
    }
    let mut text = format!("  {what:<40} {:>10} {:>9} {:>9} {:>9}\n", "SENT", "COMMITS", "MEAN", "LARGEST");
    for row in found.iter().take(rows) {
        let number = |key: &str| row[key].as_u64().unwrap_or_default();
        let (sent, commits) = (number("bytes"), number("commits"));
        let own = sent - number("uncertain");
        let name = row["name"].as_str().unwrap_or("?");
        let about = if number("uncertain") > 0 { "≤" } else { "" };
        text.push_str(&format!(
            "  {name:<40} {:>10} {commits:>9} {:>9} {:>9}\n",
            format!("{about}{}", bytes(sent)),
            bytes(own / commits.max(1)),
            bytes(number("largest")),
        ));
    }
    let hidden = found.len().saturating_sub(rows);
    if hidden > 0 {
        text.push_str(&format!("  … and {hidden} more (--rows)\n"));
    }
    text
}

/// A size as people read it.
fn bytes(bytes: u64) -> String {
    let steps = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match steps.into_iter().find(|(step, _)| bytes >= *step) {
        Some((step, unit)) => format!("{:.1} {unit}", bytes as f64 / step as f64),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn top_lists_the_most_expensive_first() {
        let row = |name: &str, bytes, uncertain, commits| {
            json!({ "name": name, "bytes": bytes, "uncertain": uncertain,
            "commits": commits, "largest": 1024 })
        };
        let apps = json!([{ "app": "/shop", "attributes": [row("cart", 3_000_000, 0, 3000), row("seen", 80, 40, 4)],
            "routes": [] }]);
        let shown = super::shown(&apps, 1);
        for part in [
            "/shop\n",
            "2.9 MiB      3000    1000 B   1.0 KiB",
            "… and 1 more",
            "ROUTE: nothing was committed yet",
        ] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        assert!(super::shown(&apps, 2).contains("≤80 B         4      10 B"), "{}", super::shown(&apps, 2));
    }
}
