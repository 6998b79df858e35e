//! Names of the table and its columns.

use std::fmt;

/// The table of the sessions and its columns; every name is configurable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableNames {
    /// The table, with its schema before a dot if it is not on the search path. Beside it there are two more,
    /// whose names end in `_damaged` and `_version`.
    pub table: String,
    /// Its columns.
    pub columns: Columns,
}

/// The columns of the table. Times are milliseconds: `saved_at` and `garbage_after` since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after what it holds, as in `Record` and `Lifetime`")]
pub struct Columns {
    pub key: String,
    pub app: String,
    pub version: String,
    pub ended: String,
    pub content: String,
    pub checksum: String,
    pub saved_at: String,
    pub idle_left: String,
    pub garbage_after: String,
}

/// A name that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It has invalid characters, or is too long.
    #[error(
        "{0:?} cannot name a table or column: 1 to {LONGEST} characters, letters, digits and '_', not a digit first"
    )]
    Characters(String),
    /// Two columns have the same name.
    #[error("two columns have the name {0:?}")]
    Twice(String),
}

/// PostgreSQL cuts names after 63; the longest ending takes 8.
const LONGEST: usize = 55;

impl Default for TableNames {
    fn default() -> Self {
        Self { table: "sessile_sessions".into(), columns: Columns::default() }
    }
}

impl Default for Columns {
    fn default() -> Self {
        Self {
            key: "key".into(),
            app: "app".into(),
            version: "stamp".into(),
            ended: "ended".into(),
            content: "content".into(),
            checksum: "checksum".into(),
            saved_at: "saved_at".into(),
            idle_left: "idle_left".into(),
            garbage_after: "garbage_after".into(),
        }
    }
}

impl TableNames {
    /// Checks all names.
    ///
    /// # Errors
    /// The first invalid name.
    pub fn check(&self) -> Result<(), NameError> {
        let parts: Vec<&str> = self.table.split('.').collect();
        if parts.len() > 2 {
            return Err(NameError::Characters(self.table.clone()));
        }
        let columns = self.columns.all();
        let wrong = parts.iter().chain(&columns).find(|name| !is_plain(name));
        if let Some(wrong) = wrong {
            return Err(NameError::Characters((*wrong).into()));
        }
        let twice = columns.iter().enumerate().find(|(at, name)| columns[..*at].contains(name));
        twice.map_or(Ok(()), |(_, name)| Err(NameError::Twice((*name).into())))
    }

    /// The quoted table.
    pub(super) fn sessions(&self) -> String {
        self.beside("")
    }

    /// The quoted table of damaged records.
    pub(super) fn damaged(&self) -> String {
        self.beside("_damaged")
    }

    /// The quoted table that holds the version of the schema.
    pub(super) fn version(&self) -> String {
        self.beside("_version")
    }

    fn beside(&self, ending: &str) -> String {
        match self.table.split_once('.') {
            Some((schema, table)) => format!("{}.{}", Quoted(schema), Quoted(&format!("{table}{ending}"))),
            None => Quoted(&format!("{}{ending}", self.table)).to_string(),
        }
    }

    /// The quoted name of an index; it lies in the schema of its table.
    pub(super) fn index(&self, ending: &str) -> String {
        let table = self.table.rsplit('.').next().unwrap_or(&self.table);
        Quoted(&format!("{table}{ending}")).to_string()
    }
}

impl Columns {
    fn all(&self) -> [&str; 9] {
        let Self { key, app, version, ended, content, checksum, saved_at, idle_left, garbage_after } = self;
        [key, app, version, ended, content, checksum, saved_at, idle_left, garbage_after]
    }

    /// The quoted columns, in the order of the fields.
    pub(super) fn quoted(&self) -> [String; 9] {
        self.all().map(|name| Quoted(name).to_string())
    }
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

fn is_plain(name: &str) -> bool {
    let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    letters && (1..=LONGEST).contains(&name.len()) && !name.as_bytes()[0].is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_accepted_and_all_are_quoted() {
        assert_eq!(TableNames::default().check(), Ok(()));
        let named = |table: &str| TableNames { table: table.into(), ..TableNames::default() };
        assert_eq!(named("app.Sessions").check(), Ok(()));
        assert_eq!(named("app.Sessions").damaged(), "\"app\".\"Sessions_damaged\"");
        for wrong in ["", "a b", "a\"b", "a;drop", "1a", "a.b.c", ".a", "ä", &"a".repeat(56)] {
            assert!(matches!(named(wrong).check(), Err(NameError::Characters(_))), "{wrong:?}");
        }
        let twice = TableNames {
            columns: Columns { app: "key".into(), ..Columns::default() },
            ..TableNames::default()
        };
        assert_eq!(twice.check(), Err(NameError::Twice("key".into())));
    }
}
