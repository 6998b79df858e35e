//! The configuration while the documents are read.

use crate::document::Wrong;
use crate::listen::Listens;
use crate::place::Place;

/// The result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The configuration of the node, with comments.
    pub toml: String,
    /// What could not be carried over, in the order of the files. What has no equal because nothing needs it
    /// is not among them; it is a comment.
    pub left: Vec<Left>,
}

/// Something that could not be carried over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The file and the line, as `server.xml:12`.
    pub place: String,
    /// The element or the attribute, as it is written there.
    pub what: String,
    /// Why, and what to do.
    pub why: String,
}

/// A key with its value.
#[derive(Debug)]
pub(crate) struct Value {
    pub(crate) table: &'static str,
    pub(crate) key: &'static str,
    /// As TOML.
    pub(crate) value: String,
    /// Its source in the document.
    pub(crate) comment: String,
}

/// A line that has no equal.
#[derive(Debug)]
pub(crate) struct Note {
    /// The table that it would be in; empty: none.
    pub(crate) table: &'static str,
    pub(crate) left: Left,
    /// Something is lost without it.
    pub(crate) is_loss: bool,
}

/// An application, from a `Context`.
#[derive(Debug, Default)]
pub(crate) struct Application {
    pub(crate) place: String,
    pub(crate) path: Option<String>,
    pub(crate) doc_base: Option<String>,
    pub(crate) cookie_path: Option<String>,
}

/// Everything so far.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    /// The name of the file that is being read.
    pub(crate) source: String,
    pub(crate) is_in_web_xml: bool,
    pub(crate) values: Vec<Value>,
    pub(crate) notes: Vec<Note>,
    pub(crate) wrong: Vec<Wrong>,
    pub(crate) listens: Listens,
    pub(crate) applications: Vec<Application>,
    /// `distributable` of the web.xml; `None`: there is no web.xml.
    pub(crate) distributable: Option<bool>,
    pub(crate) has_cluster: bool,
    /// The cluster is of Tomcat 5, whose defaults were others.
    pub(crate) is_tomcat_5: bool,
    pub(crate) has_receiver: bool,
    /// Replication addresses of the other members.
    pub(crate) members: Vec<String>,
}

impl Draft {
    pub(crate) fn new(source: &str) -> Self {
        Self { source: source.to_owned(), ..Self::default() }
    }

    /// Sets a key. The first value stands: a second one is noted.
    pub(crate) fn set(
        &mut self,
        table: &'static str,
        key: &'static str,
        value: String,
        place: &Place,
        from: &str,
    ) {
        if self.has(table, key) {
            self.note(table, place, from, "a second value for the same key; the first one stands", true);
            return;
        }
        let comment = format!("{}, {from}", self.at(place));
        self.values.push(Value { table, key, value, comment });
    }

    /// Sets a key that no line of the file gives; `comment` says why.
    pub(crate) fn assume(&mut self, table: &'static str, key: &'static str, value: String, comment: &str) {
        if !self.has(table, key) {
            self.values.push(Value { table, key, value, comment: comment.to_owned() });
        }
    }

    pub(crate) fn has(&self, table: &str, key: &str) -> bool {
        self.values.iter().any(|value| value.table == table && value.key == key)
    }

    pub(crate) fn value_mut(&mut self, table: &str, key: &str) -> Option<&mut Value> {
        self.values.iter_mut().find(|value| value.table == table && value.key == key)
    }

    /// Notes a line that has no equal.
    pub(crate) fn note(&mut self, table: &'static str, place: &Place, what: &str, why: &str, is_loss: bool) {
        let left = Left { place: self.at(place), what: what.to_owned(), why: why.to_owned() };
        self.notes.push(Note { table, left, is_loss });
    }

    pub(crate) fn at(&self, place: &Place) -> String {
        format!("{}:{}", self.source, place.line)
    }

    pub(crate) fn wrong(&mut self, place: &Place, message: impl Into<String>, help: impl Into<String>) {
        let wrong = Wrong::new(place.span.clone(), message, help);
        self.wrong.push(Wrong { is_in_web_xml: self.is_in_web_xml, ..wrong });
    }
}
