//! Printing a configuration as TOML with every key, its value in force and its meaning.

use super::Config;
use super::environment::Override;
use super::form::Form;
use super::keys::{Table, TableVisitor, Visitor};
use super::table::App;

/// How wide a setting is shown, so that the meanings stand in one column.
const SETTING_WIDTH: usize = 35;

/// See [`Config::effective_toml`].
pub(super) fn effective(config: &Config) -> String {
    let mut config = config.clone();
    let directory = config.directory.clone();
    for path in config.paths() {
        if let Ok(relative) = path.strip_prefix(&directory) {
            *path = relative.to_owned();
        }
    }
    let overrides = config.overrides.clone();
    let mut printed = Sections { tables: Vec::new(), overrides: &overrides };
    config.tables(&mut printed);
    let mut tables = printed.tables;
    let inherited = lines(&mut config.session);
    for app in &mut config.apps {
        let own = lines(app).into_iter().filter(|line| !inherited.contains(line));
        tables.push(section(&format!("[[{}]]", App::NAME), own, |_| None));
    }
    tables.join("\n")
}

/// The visitor that prints each table.
struct Sections<'o> {
    tables: Vec<String>,
    overrides: &'o [Override],
}

impl TableVisitor for Sections<'_> {
    fn table<T: Table>(&mut self, table: &mut T) {
        let variable = |key: &str| {
            let given = self.overrides.iter().find(|given| given.table == T::NAME && given.key == key);
            given.map(|given| given.variable.as_str())
        };
        self.tables.push(section(&format!("[{}]", T::NAME), lines(table), variable));
    }
}

fn lines<T: Table>(table: &mut T) -> Vec<Line> {
    let mut printing = Printing(Vec::new());
    table.keys(&mut printing);
    printing.0
}

/// `variable` gives the variable of the environment from which a key has its value.
fn section<'v>(
    header: &str,
    lines: impl IntoIterator<Item = Line>,
    variable: impl Fn(&str) -> Option<&'v str>,
) -> String {
    let mut text = format!("{header}\n");
    for line in lines {
        let setting = match line.value {
            Some(value) => format!("{} = {value}", line.key),
            None => format!("# {} is not set", line.key),
        };
        let origin = variable(line.key).map(|name| format!("from {name}: ")).unwrap_or_default();
        text.push_str(&format!("{setting:SETTING_WIDTH$} # {origin}{}\n", line.meaning));
    }
    text
}

/// A key as it is printed.
#[derive(PartialEq)]
struct Line {
    key: &'static str,
    value: Option<String>,
    meaning: &'static str,
}

/// The visitor that notes the keys of one table with their values.
struct Printing(Vec<Line>);

impl Visitor for Printing {
    fn key<F: Form>(&mut self, key: &'static str, form: F, field: &mut F::Value, meaning: &'static str) {
        self.0.push(Line { key, value: form.write(field), meaning });
    }

    fn only<F: Form<Value: PartialEq>>(
        &mut self,
        key: &'static str,
        form: F,
        mut value: F::Value,
        meaning: &'static str,
    ) {
        self.key(key, form, &mut value, meaning);
    }

    // A key without a part behind it has no value in force.
    fn later(&mut self, _: &'static str, _: &'static str) {}
}
