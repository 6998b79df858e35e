//! Reading a configuration file: text to tables, tables to fields, and everything that is wrong with it at
//! once.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::environment::Environment;
use super::fault::{ConfigError, Finding, Findings};
use super::foreign::finding;
use super::form::Form;
use super::keys::{Table, TableVisitor, Visitor};
use super::places::Places;
use super::table::App;
use super::{Config, agreement, unknown};

/// The largest file that is taken for a configuration.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The largest number of `[[app]]` tables.
const MAX_APPS: usize = 256;

/// The text of the file at `path`.
pub(super) fn text_of(path: &Path) -> Result<String, ConfigError> {
    let read = || {
        let mut text = String::new();
        File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(io::Error::other("it is larger than 1 MiB: is this a configuration file?"));
        }
        Ok(text)
    };
    read().map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })
}

/// Reads `text` as the configuration of a node; values of the environment replace those of the text.
pub(super) fn config(
    path: &Path,
    text: &str,
    environment: Environment,
) -> Result<(Config, Findings), ConfigError> {
    let (root, syntax) = DeTable::parse_recoverable(text);
    let mut config = Config { directory: directory_of(path), ..Config::default() };
    let list = if syntax.is_empty() {
        Reading::of(root.get_ref(), &environment).config(&mut config)
    } else {
        syntax.iter().map(finding).collect()
    };
    let text = format!("{text}{}", environment.text());
    config.overrides = environment.into_overrides();
    let findings = Findings { path: path.to_owned(), text, list };
    if findings.is_fatal() { Err(ConfigError::Invalid(findings)) } else { Ok((config, findings)) }
}

fn directory_of(path: &Path) -> PathBuf {
    path.parent().map(Path::to_owned).unwrap_or_default()
}

/// One file being read: what it holds, what is known so far, what is wrong with it.
struct Reading<'t> {
    root: &'t DeTable<'t>,
    environment: &'t Environment,
    places: Places,
    /// Every table and key that there is, whether the file gives it or not.
    known: Vec<(&'static str, &'static str)>,
    findings: Vec<Finding>,
}

impl<'t> Reading<'t> {
    fn of(root: &'t DeTable<'t>, environment: &'t Environment) -> Self {
        Self { root, environment, places: Places::default(), known: Vec::new(), findings: Vec::new() }
    }

    fn config(mut self, config: &mut Config) -> Vec<Finding> {
        config.tables(&mut self);
        self.apps(config);
        unknown::check(self.root, &self.known, &mut self.findings);
        self.environment.check(&self.known, &mut self.findings);
        // Two values are compared only when each of them could be read: else one slip would be reported
        // twice.
        if self.findings.is_empty() {
            agreement::check(config, &self.places, &mut self.findings);
            let directory = config.directory.clone();
            for path in config.paths() {
                *path = directory.join(&*path);
            }
        }
        self.findings.sort_by_key(|finding| finding.span.start);
        self.findings
    }

    fn apps(&mut self, config: &mut Config) {
        let given: &[Spanned<DeValue<'_>>] = match self.entry(App::NAME) {
            Some((_, _, DeValue::Array(list))) => list,
            Some((key, _, _)) => {
                let error = Finding::error(key, "`app` is a list of tables, one for each application");
                self.findings.push(error.help("write `[[app]]` with two brackets"));
                &[]
            }
            None => &[],
        };
        if let Some(surplus) = given.get(MAX_APPS) {
            self.findings.push(Finding::error(surplus.span(), format!("more than {MAX_APPS} applications")));
        }
        for (index, value) in given.iter().take(MAX_APPS).enumerate() {
            let mut app = App { builtin: None, ..App::with_session(config.session.clone()) };
            match value.get_ref() {
                DeValue::Table(entries) => {
                    let table = format!("app[{index}]");
                    self.fill(table.clone(), Some((entries, value.span())), &mut app);
                    self.required(&table, value.span(), "path", "\"/clusterapp\"");
                    self.one_source(&table, value.span());
                }
                other => {
                    let message = format!("an application is a table, not a {}", other.type_str());
                    self.findings.push(Finding::error(value.span(), message).help("write `[[app]]`"));
                }
            }
            config.apps.push(app);
        }
        // A file without applications gets the keys of applications too.
        self.fill(App::NAME.to_owned(), None, &mut App::with_session(config.session.clone()));
    }

    /// An application is in one place.
    fn one_source(&mut self, table: &str, header: Range<usize>) {
        let given: Vec<_> = ["builtin", "file", "directory"]
            .into_iter()
            .filter(|key| self.places.gives(table, key))
            .collect();
        match given[..] {
            [_] => {}
            [] => {
                let message = "this `[[app]]` has no `builtin`, `file` or `directory`";
                let help = "add for example `builtin = \"clusterapp\"` or `file = \"shop.zip\"`";
                self.findings.push(Finding::error(header, message).help(help));
            }
            [one, other, ..] => {
                let span = self.places.of(&[(table, other)]);
                let message = format!("this `[[app]]` has both `{one}` and `{other}`");
                self.findings.push(Finding::error(span, message).help("keep one of them"));
            }
        }
    }

    fn required(&mut self, table: &str, header: Range<usize>, key: &'static str, example: &str) {
        if !self.places.gives(table, key) {
            let error = Finding::error(header, format!("this `[[app]]` has no `{key}`"));
            self.findings.push(error.help(format!("add for example `{key} = {example}`")));
        }
    }

    fn fill<T: Table>(&mut self, place: String, given: Option<(&DeTable<'_>, Range<usize>)>, table: &mut T) {
        let entries = given.map(|(entries, span)| {
            self.places.note_table(&place, span);
            entries
        });
        table.keys(&mut Filling { name: T::NAME, place, entries, reading: self });
    }

    fn entry(&self, name: &str) -> Option<(Range<usize>, Range<usize>, &'t DeValue<'t>)> {
        let mut table = self.root;
        let (outer, name) = name.rsplit_once('.').map_or((None, name), |(outer, name)| (Some(outer), name));
        for step in outer.into_iter().flat_map(|outer| outer.split('.')) {
            table = table.get(step)?.get_ref().as_table()?;
        }
        let (key, value) = table.get_key_value(name)?;
        Some((key.span(), value.span(), value.get_ref()))
    }
}

impl TableVisitor for Reading<'_> {
    fn table<T: Table>(&mut self, table: &mut T) {
        let entries = match self.entry(T::NAME) {
            Some((_, span, DeValue::Table(entries))) => Some((entries, span)),
            Some((key, _, DeValue::Array(_))) => {
                let message = format!("`{}` is one table, not a list of tables", T::NAME);
                self.findings.push(Finding::error(key, message).help(format!("write `[{}]`", T::NAME)));
                None
            }
            Some((_, span, other)) => {
                let message = format!("`{}` is a table, not a {}", T::NAME, other.type_str());
                self.findings.push(Finding::error(span, message).help(format!("write `[{}]`", T::NAME)));
                None
            }
            None => None,
        };
        self.fill(T::NAME.to_owned(), entries, table);
    }
}

/// The visitor that fills the fields of one table from the file.
struct Filling<'r, 't> {
    name: &'static str,
    place: String,
    entries: Option<&'r DeTable<'r>>,
    reading: &'r mut Reading<'t>,
}

impl Filling<'_, '_> {
    /// The value that the environment or the file gives for `name`, if it can be read.
    fn read<F: Form>(&mut self, name: &'static str, form: &F) -> Option<(F::Value, Range<usize>)> {
        let in_file = self.read_file(name, form);
        match self.reading.environment.read(self.name, name, form) {
            None => in_file,
            Some(Ok((value, span))) => {
                self.reading.places.note_value(&self.place, name, span.clone());
                Some((value, span))
            }
            Some(Err(finding)) => {
                self.reading.findings.push(finding);
                None
            }
        }
    }

    /// The value that the file gives for `name`, if it can be read.
    fn read_file<F: Form>(&mut self, name: &'static str, form: &F) -> Option<(F::Value, Range<usize>)> {
        let value = self.find(name)?;
        match form.read(value) {
            Ok(read) => Some((read, value.span())),
            Err(wrong) => {
                let finding = wrong.about(name, value.span());
                self.reading.findings.push(finding);
                None
            }
        }
    }

    fn find(&mut self, name: &'static str) -> Option<&Spanned<DeValue<'_>>> {
        if !self.reading.known.contains(&(self.name, name)) {
            self.reading.known.push((self.name, name));
        }
        let value = self.entries?.get(name)?;
        self.reading.places.note_value(&self.place, name, value.span());
        Some(value)
    }
}

impl Visitor for Filling<'_, '_> {
    fn key<F: Form>(&mut self, name: &'static str, form: F, field: &mut F::Value, _: &'static str) {
        if let Some((value, _)) = self.read(name, &form) {
            *field = value;
        }
    }

    fn only<F: Form<Value: PartialEq>>(
        &mut self,
        name: &'static str,
        form: F,
        value: F::Value,
        _: &'static str,
    ) {
        if let Some((read, span)) = self.read(name, &form)
            && read != value
        {
            let built = form.write(&value).unwrap_or_default();
            let error =
                Finding::error(span, format!("this value of `{name}` is not available in this version"));
            let help = format!("leave `{name}` out or write `{name} = {built}`");
            self.reading.findings.push(error.label(format!("only {built} works")).help(help));
        }
    }

    fn later(&mut self, name: &'static str, meaning: &'static str) {
        let in_file = self.find(name).map(Spanned::span);
        if let Some(span) = self.reading.environment.span_of(self.name, name).or(in_file) {
            let error =
                Finding::error(span, format!("`{name}` ({meaning}) is not available in this version"));
            self.reading.findings.push(error.help("remove the key"));
        }
    }
}
