//! Outputs generated from the key tables: the schema for editors and the reference for people.

use super::{SAMPLE, parse};
use crate::{Config, json_schema, reference};

/// A file of the repository's documentation. With SESSILE_BLESS set, `text` takes its place first.
fn held(path: &str, text: impl FnOnce(&str) -> String) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(path);
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let wanted = text(&found);
    if std::env::var_os("SESSILE_BLESS").is_some() {
        std::fs::write(&path, &wanted).expect("writable");
    } else {
        let name = path.display();
        assert!(found == wanted, "{name} is not of this code: SESSILE_BLESS=1 cargo test -p sessile-config");
    }
}

#[test]
fn the_committed_schema_is_that_of_the_code() {
    held("sessile.schema.json", |_| json_schema());
}

#[test]
fn the_reference_in_the_documentation_is_that_of_the_code() {
    const MARKS: [&str; 2] = ["<!-- reference: from the code -->\n", "<!-- end of the reference -->\n"];
    held("configuration.md", |page| {
        let (before, rest) = page.split_once(MARKS[0]).expect("the first mark");
        let (_, after) = rest.split_once(MARKS[1]).expect("the second mark");
        format!("{before}{}{}\n{}{after}", MARKS[0], reference(), MARKS[1])
    });
}

/// Whether `value` is one that `schema` allows, as far as our schemas say anything: types, numbers, texts,
/// choices.
fn allows(schema: &serde_json::Value, value: &serde_json::Value) -> bool {
    use serde_json::Value;
    if let Some(choices) = schema["anyOf"].as_array() {
        return choices.iter().any(|choice| allows(choice, value));
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value))
        || schema.get("const").is_some_and(|only| only != value)
    {
        return false;
    }
    let bound = |name: &str| schema[name].as_u64();
    let type_fits = |wanted: Option<&str>, own| wanted.is_none_or(|wanted| wanted == own);
    let wanted = schema["type"].as_str();
    match value {
        Value::Object(entries) => {
            let required = schema["required"].as_array().into_iter().flatten();
            type_fits(wanted, "object")
                && required.filter_map(Value::as_str).all(|key| entries.contains_key(key))
                && entries.iter().all(|(key, value)| {
                    schema["properties"].get(key).is_some_and(|schema| allows(schema, value))
                })
        }
        Value::Array(items) => {
            type_fits(wanted, "array") && items.iter().all(|item| allows(&schema["items"], item))
        }
        Value::String(text) => {
            let fits = |pattern| regex::Regex::new(pattern).expect("a pattern").is_match(text);
            type_fits(wanted, "string") && schema["pattern"].as_str().is_none_or(fits)
        }
        Value::Number(number) => {
            let number = number.as_u64().expect("no negative ones");
            type_fits(wanted, "integer")
                && bound("minimum").is_none_or(|least| least <= number)
                && bound("maximum").is_none_or(|most| number <= most)
        }
        Value::Bool(_) => type_fits(wanted, "boolean"),
        Value::Null => false,
    }
}

#[test]
fn the_schema_allows_what_is_right_and_refuses_what_is_not() {
    let schema: serde_json::Value = serde_json::from_str(&json_schema()).expect("JSON");
    let fits = |text: &str| {
        let table: toml::Table = toml::from_str(text).expect("TOML");
        allows(&schema, &serde_json::to_value(table).expect("JSON"))
    };
    for right in
        [SAMPLE, &Config::default().effective_toml(), &parse(SAMPLE).expect("good").effective_toml(), ""]
    {
        assert!(fits(right), "{right}");
    }
    for right in [
        "[admin]\nlisten = 9005",
        "[session]\nmax_table_bytes = \"1GiB\"\nsecure = true\nabsolute_timeout = \"never\"",
        "[http]\ntrusted_proxies = [\"10.0.0.0/8\"]",
    ] {
        assert!(fits(right) && parse(right).is_ok(), "{right}");
    }
    for wrong in [
        "[member]\nport = 1",
        "[membership]\nprot = 45564",
        "[membership]\nport = 70000",
        "[membership]\nport = \"45564\"",
        "[membership]\nkind = \"gossip\"",
        "[membership]\ndrop_time = 3",
        "[membership]\ndrop_time = \"3 parsecs\"",
        "[node]\nname = \"tc 01\"",
        "[node]\nrewrite_route = \"yes\"",
        "[session]\nsecure = \"always\"",
        "[[app]]\nbuiltin = \"clusterapp\"",
        "[app]\npath = \"/a\"\nbuiltin = \"clusterapp\"",
    ] {
        assert!(!fits(wrong) && parse(wrong).is_err(), "{wrong}");
    }
}
