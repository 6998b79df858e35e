//! The farm as shown to operators.

use serde::Serialize;

use super::archive_ref::ArchiveRef;
use super::protocol::Protocol;

/// The whole farm, as known by this node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FarmView {
    pub(crate) apps: Vec<AppRow>,
    pub(crate) warnings: Vec<String>,
    pub(crate) under_way: usize,
    pub(crate) caught_up: bool,
}

/// One application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct AppRow {
    path: String,
    archive: String,
    version: String,
    digest: String,
    bytes: u64,
    since_ms: u64,
    /// The digest that a rollback would restore.
    previous: Option<String>,
    /// This node first.
    nodes: Vec<NodeRow>,
}

/// The archive of one node; `digest` is empty if it runs none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct NodeRow {
    name: String,
    digest: String,
    agrees: bool,
}

impl FarmView {
    pub(crate) fn of(machine: &Protocol, me: &str, now: std::time::Duration) -> Self {
        let apps = machine.catalog().apps.iter().filter_map(|(path, entry)| {
            let archive = entry.archive.as_ref()?;
            let own = NodeRow::of(me, Some(archive), archive);
            let others = machine.elsewhere(path).map(|(name, theirs)| NodeRow::of(name, theirs, archive));
            Some(AppRow {
                path: path.clone(),
                archive: archive.name.to_string(),
                version: archive.name.version.clone(),
                digest: archive.digest.to_string(),
                bytes: archive.bytes,
                since_ms: entry.since_ms,
                previous: entry.previous_to_restore().map(|previous| previous.digest.to_string()),
                nodes: std::iter::once(own).chain(others).collect(),
            })
        });
        Self {
            apps: apps.collect(),
            warnings: machine.warnings(now),
            under_way: machine.under_way(),
            caught_up: machine.has_caught_up(now),
        }
    }
}

impl NodeRow {
    fn of(name: &str, runs: Option<&ArchiveRef>, here: &ArchiveRef) -> Self {
        Self {
            name: name.to_owned(),
            digest: runs.map(|runs| runs.digest.to_string()).unwrap_or_default(),
            agrees: runs.is_some_and(|runs| runs.digest == here.digest),
        }
    }
}
