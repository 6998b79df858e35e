//! The catalog of all keys: allowed values, defaults and meanings.

use super::Config;
use super::form::{Form, Shape};
use super::keys::{Table, TableVisitor, Visitor};
use super::table::{App, Session};

/// Description of a table.
pub(super) struct TableEntry {
    pub(super) name: &'static str,
    pub(super) meaning: &'static str,
    pub(super) keys: Vec<KeyEntry>,
}

/// Description of a key.
#[derive(Debug)]
pub(super) struct KeyEntry {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    /// The default value, as TOML.
    pub(super) default: Option<String>,
    /// This version supports only the default.
    pub(super) is_only: bool,
    pub(super) meaning: &'static str,
}

/// Every table except that of the applications.
pub(super) fn tables() -> Vec<TableEntry> {
    tables_of(&Config::default())
}

/// The table of an application; its own keys come before those that it shares with `[session]`.
pub(super) fn app() -> TableEntry {
    app_of(&App { builtin: None, ..App::with_session(Session::default()) })
}

/// The same with the values of `config` as defaults.
pub(super) fn tables_of(config: &Config) -> Vec<TableEntry> {
    let mut listing = Listing(Vec::new());
    config.clone().tables(&mut listing);
    listing.0
}

/// The same with the values of `app` as defaults.
pub(super) fn app_of(app: &App) -> TableEntry {
    let mut describing = Describing(Vec::new());
    app.clone().keys(&mut describing);
    TableEntry { name: App::NAME, meaning: App::MEANING, keys: describing.0 }
}

/// The visitor that lists tables with their keys.
struct Listing(Vec<TableEntry>);

impl TableVisitor for Listing {
    fn table<T: Table>(&mut self, table: &mut T) {
        let mut describing = Describing(Vec::new());
        table.keys(&mut describing);
        self.0.push(TableEntry { name: T::NAME, meaning: T::MEANING, keys: describing.0 });
    }
}

/// The visitor that notes the keys of one table.
struct Describing(Vec<KeyEntry>);

impl Describing {
    fn note<F: Form>(
        &mut self,
        name: &'static str,
        form: &F,
        value: &F::Value,
        is_only: bool,
        meaning: &'static str,
    ) {
        self.0.push(KeyEntry { name, shape: form.shape(), default: form.write(value), is_only, meaning });
    }
}

impl Visitor for Describing {
    fn key<F: Form>(&mut self, name: &'static str, form: F, field: &mut F::Value, meaning: &'static str) {
        self.note(name, &form, field, false, meaning);
    }

    fn only<F: Form<Value: PartialEq>>(
        &mut self,
        name: &'static str,
        form: F,
        value: F::Value,
        meaning: &'static str,
    ) {
        self.note(name, &form, &value, true, meaning);
    }

    // Unavailable keys are not described.
    fn later(&mut self, _: &'static str, _: &'static str) {}
}
