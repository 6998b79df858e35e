//! Values from the environment: `SESSILE_CLUSTER__NAME=shop` stands for `name = "shop"` in `[cluster]`.
//!
//! The variables are lines behind the text of the file, so that a finding about one shows it with a caret, as
//! a finding about the file does.

use std::borrow::Cow;
use std::ffi::OsString;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::Finding;
use super::form::{Form, Wrong};
use super::keys::Table;
use super::suggest::{closest, listed};
use super::table::App;

/// A value, and where it stands.
type Placed<T> = (T, Range<usize>);

/// What the names of the variables begin with.
const PREFIX: &str = "SESSILE_";
/// Stands between a table and a key, and for the point in the name of a table. A variable without it, such as
/// `SESSILE_LOG`, is not part of the configuration.
const SEPARATOR: &str = "__";
/// Most characters of a value that a finding shows.
const SHOWN: usize = 80;

/// A key whose value came from the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The table, such as `cluster` or `http.limits`.
    pub table: String,
    /// The key within it.
    pub key: String,
    /// The variable that gave the value.
    pub variable: String,
}

/// The variables that stand for keys.
#[derive(Debug, Default)]
pub(super) struct Environment {
    variables: Vec<Variable>,
    /// The lines behind the text of the file; empty without variables.
    text: String,
}

#[derive(Debug)]
struct Variable {
    origin: Override,
    /// `None` if it is not UTF-8.
    value: Option<String>,
    /// Its line, in the text of the file with the lines behind it.
    span: Range<usize>,
}

impl Environment {
    /// Takes those of `variables` that stand for keys. Their lines follow `file`, the text of the
    /// configuration.
    pub(super) fn of(variables: impl IntoIterator<Item = (OsString, OsString)>, file: &str) -> Self {
        let mut named: Vec<_> = variables
            .into_iter()
            .filter_map(|(name, value)| Some((origin(name.to_str()?)?, value)))
            .collect();
        named.sort_by(|(one, _), (other, _)| one.variable.cmp(&other.variable));
        let mut environment = Self::default();
        for (origin, value) in named {
            if environment.text.is_empty() {
                let newline = if file.ends_with('\n') { "" } else { "\n" };
                environment.text = format!("{newline}# from the environment:\n");
            }
            let value = value.into_string().ok();
            let shown = value.as_deref().unwrap_or("(not UTF-8)").chars().take(SHOWN).collect::<String>();
            let line = format!("{}={}", origin.variable, shown.replace(char::is_control, " "));
            let start = file.len() + environment.text.len();
            environment.text.push_str(&format!("{line}\n"));
            environment.variables.push(Variable { origin, value, span: start..start + line.len() });
        }
        environment
    }

    /// The lines that stand behind the text of the file.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Where the value of that key comes from, if a variable gives it.
    pub(super) fn span_of(&self, table: &str, key: &str) -> Option<Range<usize>> {
        self.find(table, key).map(|variable| variable.span.clone())
    }

    /// The value that a variable gives for a key, or why it cannot be used; `None` without such a variable.
    pub(super) fn read<F: Form>(
        &self,
        table: &str,
        key: &str,
        form: &F,
    ) -> Option<Result<Placed<F::Value>, Finding>> {
        let variable = self.find(table, key)?;
        let span = variable.span.clone();
        let read = variable.read(form).map(|value| (value, span.clone()));
        Some(read.map_err(|wrong| {
            let finding = wrong.about(key, span.clone());
            Finding { message: format!("{}: {}", variable.origin.variable, finding.message), span, ..finding }
        }))
    }

    /// Adds a finding for each variable that stands for none of the known keys.
    pub(super) fn check(&self, known: &[(&'static str, &'static str)], findings: &mut Vec<Finding>) {
        for Variable { origin, span, .. } in &self.variables {
            let is_known = |(table, key): &(&str, &str)| *table == origin.table && *key == origin.key;
            if origin.table == App::NAME {
                let message = format!("{}: applications stand in the file alone", origin.variable);
                findings.push(Finding::error(span.clone(), message).help("write `[[app]]` into the file"));
            } else if !known.iter().any(is_known) {
                findings.push(unknown(origin, span.clone(), known));
            }
        }
    }

    /// The keys whose values came from here.
    pub(super) fn into_overrides(self) -> Vec<Override> {
        self.variables.into_iter().map(|variable| variable.origin).collect()
    }

    fn find(&self, table: &str, key: &str) -> Option<&Variable> {
        let is_meant = |origin: &Override| origin.table == table && origin.key == key && table != App::NAME;
        self.variables.iter().find(|variable| is_meant(&variable.origin))
    }
}

impl Variable {
    /// A text is taken as it is; what a key does not take as a text is read as TOML: `true`, `25`,
    /// `["a:1", "b:1"]`.
    fn read<F: Form>(&self, form: &F) -> Result<F::Value, Wrong> {
        let Some(value) = self.value.as_deref() else { return Err(Wrong::new("is not UTF-8")) };
        let as_text = form.read(&Spanned::new(0..value.len(), DeValue::String(Cow::Borrowed(value))));
        let line = format!("value = {value}");
        match DeTable::parse(&line) {
            Ok(table) if as_text.is_err() => match table.get_ref().get("value") {
                Some(value) if value.get_ref().as_str().is_none() => form.read(value),
                _ => as_text,
            },
            _ => as_text,
        }
    }
}

/// The table and the key that a variable of this name stands for.
fn origin(variable: &str) -> Option<Override> {
    let (table, key) = variable.strip_prefix(PREFIX)?.rsplit_once(SEPARATOR)?;
    let table = table.replace(SEPARATOR, ".").to_lowercase();
    Some(Override { table, key: key.to_lowercase(), variable: variable.to_owned() })
}

/// The variable of a key.
fn variable_of(table: &str, key: &str) -> String {
    format!("{PREFIX}{}{SEPARATOR}{key}", table.replace('.', SEPARATOR)).to_uppercase()
}

fn unknown(origin: &Override, span: Range<usize>, known: &[(&'static str, &'static str)]) -> Finding {
    let message = format!(
        "{} stands for no key of a node: unknown `{}` in [{}]",
        origin.variable, origin.key, origin.table
    );
    let own = known.iter().filter(|(table, _)| *table == origin.table).map(|(_, key)| *key);
    let variables: Vec<String> = known.iter().map(|(table, key)| variable_of(table, key)).collect();
    let help = match closest(&origin.variable, variables.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean {meant}?"),
        None if own.clone().next().is_some() => format!("[{}] has {}", origin.table, listed(own)),
        None => "a name is SESSILE_TABLE__KEY, such as SESSILE_CLUSTER__NAME".to_owned(),
    };
    Finding::error(span, message).help(help)
}
