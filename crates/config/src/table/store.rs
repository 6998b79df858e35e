//! `[store]`: where sessions are kept longer than the processes that hold them in memory.

use std::path::PathBuf;
use std::time::Duration;

use super::{HOUR, SECOND};
use crate::form::{File, Flag, List, Number, OneOf, Optional, Size, Text, Time};
use crate::keys::{Table, Visitor};

/// `[store]`. Without a `kind` there is none, and sessions are in memory alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// Which store; `None`: none.
    pub kind: Option<StoreKind>,
    /// The folder of a file store or the file of a redb store; `None`: named after the node, beside the
    /// configuration.
    pub path: Option<PathBuf>,
    /// Where the PostgreSQL or Redis server is, without a password.
    pub url: Option<String>,
    /// The file that holds the URL instead, with its password; readable by its owner only.
    pub url_file: Option<PathBuf>,
    /// Whether `url` leads to a Redis cluster. It may name any of its servers; the others are found through
    /// that one.
    pub cluster: bool,
    /// The certificate authority of a Redis server, in PEM; `None`: a public one.
    pub ca_file: Option<PathBuf>,
    /// The table in PostgreSQL, or what all keys in Redis begin with; `None`: `sessile_sessions`, or
    /// `sessile`.
    pub table: Option<String>,
    /// Columns in PostgreSQL that have other names than usual, each as `usual = other`.
    pub columns: Vec<String>,
    /// How many bytes a file or redb store may take.
    pub max_bytes: usize,
    /// The keys with which content is encrypted; `None`: it is stored as it is.
    pub key_file: Option<PathBuf>,
    /// How long changes of one session are gathered before it is saved.
    pub interval: Duration,
    /// How long a response waits for the store, where it waits at all.
    pub timeout: Duration,
    /// Which sessions a starting node brings back.
    pub restore: Restore,
    /// So many sessions stay in memory; above, the least recently used are swapped out. `None`: all do.
    pub swap_above: Option<u64>,
}

/// A kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// A folder of this node.
    File,
    /// A redb database of this node.
    Redb,
    /// A table that all nodes share.
    Postgres,
    /// A Valkey or Redis server that all nodes share.
    Redis,
}

/// Which sessions a starting node brings back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restore {
    /// All of them; the first node of a cluster before it serves.
    All,
    /// Each when it is asked for.
    OnDemand,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            kind: None,
            path: None,
            url: None,
            url_file: None,
            cluster: false,
            ca_file: None,
            table: None,
            columns: Vec::new(),
            max_bytes: 8 << 30,
            key_file: None,
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(2),
            restore: Restore::All,
            swap_above: None,
        }
    }
}

impl Table for Store {
    const NAME: &'static str = "store";
    const MEANING: &'static str = "where sessions are kept longer than any process lives";

    fn keys(&mut self, visitor: &mut impl Visitor) {
        let kind = OneOf {
            built: &[
                ("file", StoreKind::File),
                ("redb", StoreKind::Redb),
                ("postgres", StoreKind::Postgres),
                ("redis", StoreKind::Redis),
            ],
            later: &[],
        };
        let restore = OneOf { built: &[("all", Restore::All), ("on_demand", Restore::OnDemand)], later: &[] };
        let above = Optional(Number::within(1..=1_000_000_000));
        let bytes = Size(64 << 20..=1 << 44);
        visitor.key("kind", Optional(kind), &mut self.kind, "file | redb | postgres | redis; else none");
        visitor.key("path", Optional(File), &mut self.path, "file, redb; else NAME.sessions, NAME.redb");
        visitor.key("url", Optional(Text), &mut self.url, "postgres, redis: the server, without a password");
        visitor.key(
            "url_file",
            Optional(File),
            &mut self.url_file,
            "the file that holds it, with a password",
        );
        visitor.key("cluster", Flag, &mut self.cluster, "true: the url leads to a Redis cluster");
        visitor.key(
            "ca_file",
            Optional(File),
            &mut self.ca_file,
            "redis: who signed its certificate, in PEM",
        );
        visitor.key("table", Optional(Text), &mut self.table, "postgres: its name; redis: begins all keys");
        visitor.key("columns", List(Text), &mut self.columns, "postgres: other names, \"key = session_id\"");
        visitor.key("max_bytes", bytes, &mut self.max_bytes, "file, redb: the most they take");
        visitor.key("key_file", Optional(File), &mut self.key_file, "encrypts content; 32 bytes in base64");
        visitor.key("interval", Time(0..=HOUR), &mut self.interval, "changes are gathered for so long");
        visitor.key("timeout", Time(10..=60 * SECOND), &mut self.timeout, "a response waits so long at most");
        visitor.key("restore", restore, &mut self.restore, "at a start: all | on_demand");
        visitor.key("swap_above", above, &mut self.swap_above, "then the least recently used leave memory");
    }
}
