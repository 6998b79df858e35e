//! Printing a configuration as TOML with every key, its value in force and its meaning.

use super::Config;
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
    let mut printed = Sections(Vec::new());
    config.tables(&mut printed);
    let Sections(mut tables) = printed;
    let inherited = lines(&mut config.session);
    for app in &mut config.apps {
        let own = lines(app).into_iter().filter(|line| !inherited.contains(line));
        tables.push(section(&format!("[[{}]]", App::NAME), own));
    }
    tables.join("\n")
}

/// The visitor that prints each table.
struct Sections(Vec<String>);

impl TableVisitor for Sections {
    fn table<T: Table>(&mut self, table: &mut T) {
        self.0.push(section(&format!("[{}]", T::NAME), lines(table)));
    }
}

fn lines<T: Table>(table: &mut T) -> Vec<Line> {
    let mut printing = Printing(Vec::new());
    table.keys(&mut printing);
    printing.0
}

fn section(header: &str, lines: impl IntoIterator<Item = Line>) -> String {
    let mut text = format!("{header}\n");
    for line in lines {
        let setting = match line.value {
            Some(value) => format!("{} = {value}", line.key),
            None => format!("# {} is not set", line.key),
        };
        text.push_str(&format!("{setting:SETTING_WIDTH$} # {}\n", line.meaning));
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
