//! What is deployed, path by path, as this node knows it; kept on disk and told to other members.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::archived::{Archived, Digest};
use super::message::Order;
use super::seal::{Seal, Sealer, Stage};
use super::stamp::Stamp;

/// Most paths in a catalog, those included where something was removed.
pub(crate) const PATHS_MAX: usize = 512;

/// One path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The deployment or removal that holds.
    pub(crate) stamp: Stamp,
    /// What runs; `None` where it was removed.
    pub(crate) archive: Option<Archived>,
    /// What ran before, for the way back.
    #[serde(default)]
    pub(crate) previous: Option<Archived>,
    /// That it was deployed with the deploy key, for those who hear of it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seal: Option<Seal>,
    /// When this node switched to it, in milliseconds since the Unix epoch; for people.
    #[serde(default)]
    pub(crate) since_ms: u64,
}

/// All paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Catalog {
    /// By context path.
    pub(crate) apps: BTreeMap<String, Entry>,
    /// What was last taken from the watched directory, by path: so that a restart deploys nothing twice.
    #[serde(default)]
    pub(crate) watched: BTreeMap<String, Digest>,
}

impl Catalog {
    /// The stamp that holds at a path; the lowest where nothing ever was.
    #[must_use]
    pub(crate) fn stamp(&self, path: &str) -> Stamp {
        self.apps.get(path).map(|entry| entry.stamp).unwrap_or_default()
    }

    /// What runs at a path.
    #[must_use]
    pub(crate) fn active(&self, path: &str) -> Option<&Archived> {
        self.apps.get(path)?.archive.as_ref()
    }

    /// From now on this holds. The archive that ran before stays the way back.
    pub(super) fn put(&mut self, Order { path, stamp, archive, seal }: Order) {
        let old = self.apps.remove(&path);
        let previous = old.and_then(|old| {
            let replaced =
                old.archive.filter(|old| archive.as_ref().is_none_or(|new| new.digest != old.digest));
            replaced.or(old.previous)
        });
        self.apps.insert(path.clone(), Entry { stamp, archive, previous, seal, since_ms: 0 });
        self.forget_oldest_removal(&path);
    }

    /// Seals anew what was kept on the disk of this node, which is believed: it may be from before there was a key, or
    /// from before another one.
    pub(super) fn seal(&mut self, sealer: &Sealer) {
        for (path, entry) in &mut self.apps {
            let Entry { stamp, archive, seal, .. } = entry.clone();
            let order = Order { path: path.clone(), stamp, archive, seal };
            entry.seal = sealer.sealed(order, Stage::Held).seal;
        }
    }

    fn forget_oldest_removal(&mut self, but: &str) {
        if self.apps.len() <= PATHS_MAX {
            return;
        }
        let removals = self.apps.iter().filter(|(path, entry)| *path != but && entry.archive.is_none());
        if let Some(path) = removals.min_by_key(|(_, entry)| entry.since_ms).map(|(path, _)| path.clone()) {
            self.apps.remove(&path);
        }
    }

    /// The archives that this node must keep.
    pub(super) fn digests(&self) -> impl Iterator<Item = Digest> {
        self.apps
            .values()
            .flat_map(|entry| [&entry.archive, &entry.previous])
            .flatten()
            .map(|kept| kept.digest)
    }
}
