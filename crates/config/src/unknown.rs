//! Unknown keys and tables, each with a suggestion.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::Finding;
use super::keys::Table;
use super::suggest::{closest, listed};
use super::table::App;
use super::tomcat;

/// Names that other programs have for a key, where its table has that key.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("port", "listen"),
    ("address", "listen"),
    ("addr", "listen"),
    ("bind", "listen"),
    ("host", "listen"),
    ("ttl", "timeout"),
    ("cookie_name", "cookie"),
    ("hosts", "members"),
    ("nodes", "members"),
    ("seeds", "members"),
    ("type", "kind"),
];

/// Every table with every key of it.
type Known = [(&'static str, &'static str)];

/// Adds a finding for each key of the file that is not among the known ones.
pub(super) fn check(root: &DeTable<'_>, known: &Known, findings: &mut Vec<Finding>) {
    for (table, value) in root {
        let name = table.get_ref();
        match value.get_ref() {
            _ if !known.iter().any(|(table, _)| table == name) => {
                findings.push(unknown_at_root(table, value.get_ref(), known));
            }
            DeValue::Table(keys) => unknown_in(name, keys, known, findings),
            DeValue::Array(list) if name == App::NAME => {
                for keys in list.iter().filter_map(|item| item.get_ref().as_table()) {
                    unknown_in(name, keys, known, findings);
                }
            }
            // A value that is not a table was reported by the reader of the table.
            _ => {}
        }
    }
}

fn unknown_in(table: &str, keys: &DeTable<'_>, known: &Known, findings: &mut Vec<Finding>) {
    let own = known.iter().filter(|(of, _)| *of == table).map(|(_, key)| *key);
    for (key, value) in keys.iter().filter(|(key, _)| own.clone().all(|own| own != key.get_ref())) {
        let name = key.get_ref();
        let inner = format!("{table}.{name}");
        if known.iter().any(|(table, _)| *table == inner) {
            // Something else than a table was reported by whoever looked for the table.
            if let Some(keys) = value.get_ref().as_table() {
                unknown_in(&inner, keys, known, findings);
            }
            continue;
        }
        let error = Finding::error(key.span(), format!("unknown key `{name}` in {}", bracketed(table)));
        if let Some(remedy) = tomcat::remedy(name) {
            findings.push(of_tomcat(error, remedy));
            continue;
        }
        let help = match (closest(name, own.clone()).or(meant_by(name, own.clone())), home_of(name, known)) {
            (Some(meant), _) => format!("did you mean `{meant}`?"),
            (None, Some(home)) => home,
            (None, None) => format!("{} has {}", bracketed(table), listed(own.clone())),
        };
        findings.push(error.label("unknown key").help(help));
    }
}

fn unknown_at_root(key: &Spanned<Cow<'_, str>>, value: &DeValue<'_>, known: &Known) -> Finding {
    let name = key.get_ref();
    let is_table = value.is_table() || value.is_array();
    let message = format!("unknown {} `{name}`", if is_table { "table" } else { "key" });
    if let Some(remedy) = tomcat::remedy(name) {
        return of_tomcat(Finding::error(key.span(), message), remedy);
    }
    let mut tables: Vec<&str> = known.iter().map(|(table, _)| *table).collect();
    tables.dedup();
    let help = match (home_of(name, known), closest(name, tables.iter().copied())) {
        (Some(home), _) if !is_table => home,
        (_, Some(meant)) => format!("did you mean {}?", bracketed(meant)),
        _ => format!("the tables are {}", listed(tables.iter().copied())),
    };
    Finding::error(key.span(), message).help(help)
}

fn of_tomcat(error: Finding, remedy: &str) -> Finding {
    error.label("Tomcat's name").help(format!("in its place: {remedy}"))
}

/// The key of this table that has what other programs call so.
fn meant_by<'k>(name: &str, mut own: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let (_, meant) = OTHER_NAMES.iter().find(|(others, _)| *others == name.to_lowercase())?;
    own.find(|key| key == meant)
}

/// The sentence that says in which table such a key is, if there is one.
fn home_of(key: &str, known: &Known) -> Option<String> {
    let meant = closest(key, known.iter().map(|(_, key)| *key))?;
    let (table, _) = known.iter().find(|(_, key)| *key == meant)?;
    Some(format!("did you mean `{meant}` in {}?", bracketed(table)))
}

fn bracketed(table: &str) -> String {
    if table == App::NAME { "[[app]]".to_owned() } else { format!("[{table}]") }
}
