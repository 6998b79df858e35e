//! The configuration as JSON schema, for editors that complete and check TOML.

use serde_json::{Map, Value, json};

use super::catalog::{self, KeyEntry, TableEntry};
use super::keys::Table;
use super::table::App;

/// Required keys of an application.
const REQUIRED_OF_APP: [&str; 1] = ["path"];

/// The JSON schema (2020-12) of a node's file, as text. It allows everything that
/// [`Config::load`](super::Config::load) does; where values must agree with each other only loading can tell.
#[must_use]
pub fn json_schema() -> String {
    let mut tables = Map::new();
    for table in catalog::tables() {
        let described = object(&table, &[]);
        // A table within another one follows it.
        match table.name.split_once('.').and_then(|(outer, name)| Some((tables.get_mut(outer)?, name))) {
            Some((outer, name)) => outer["properties"][name] = described,
            None => drop(tables.insert(table.name.to_owned(), described)),
        }
    }
    let app = object(&catalog::app(), &REQUIRED_OF_APP);
    tables.insert(App::NAME.to_owned(), json!({ "type": "array", "items": app }));
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The configuration of a Sessile node",
        "type": "object",
        "additionalProperties": false,
        "properties": tables,
    });
    format!("{schema:#}\n")
}

fn object(table: &TableEntry, required: &[&str]) -> Value {
    let keys: Map<String, Value> =
        table.keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let mut object = json!({
        "type": "object",
        "description": table.meaning,
        "additionalProperties": false,
        "properties": keys,
    });
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

fn property(key: &KeyEntry) -> Value {
    let mut property = key.shape.schema.clone();
    property["description"] = json!(key.meaning);
    if let Some(default) = key.default.as_deref().and_then(as_json) {
        if key.is_only {
            property["const"] = default.clone();
        }
        property["default"] = default;
    }
    property
}

/// A value written as TOML.
fn as_json(value: &str) -> Option<Value> {
    let table: toml::Table = toml::from_str(&format!("value = {value}")).ok()?;
    serde_json::to_value(table.get("value")?).ok()
}
