//! The catalog: the deployed application of each path, as known by this node; kept on disk and sent to other
//! members.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::archive_ref::{ArchiveRef, Digest};
use super::deploy_timestamp::DeployTimestamp;
use super::message::DeployOrder;
use super::seal::{DeployStage, Seal, Sealer};

/// Most paths in a catalog, including removed ones.
pub(crate) const PATHS_MAX: usize = 512;

/// One path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CatalogEntry {
    /// The timestamp of the current deployment or removal.
    pub(crate) timestamp: DeployTimestamp,
    /// The running archive; `None` after a removal.
    pub(crate) archive: Option<ArchiveRef>,
    /// The previous archive, for a rollback.
    #[serde(default)]
    pub(crate) previous: Option<ArchiveRef>,
    /// The running archive was the previous one before: a rollback would go forward.
    #[serde(default)]
    pub(crate) went_back: bool,
    /// Proof that it was deployed with the deploy key, for members that learn of it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seal: Option<Seal>,
    /// Time of this node's switch, in milliseconds since the Unix epoch; for display.
    #[serde(default)]
    pub(crate) since_ms: u64,
}

impl CatalogEntry {
    /// The archive that a rollback restores; none after a rollback, which would be undone by a second one.
    pub(crate) fn previous_to_restore(&self) -> Option<&ArchiveRef> {
        self.previous.as_ref().filter(|_| !self.went_back)
    }
}

/// All paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Catalog {
    /// By context path.
    pub(crate) apps: BTreeMap<String, CatalogEntry>,
    /// The archive last taken from the watched directory, by path, so that a restart deploys nothing twice.
    #[serde(default)]
    pub(crate) watched: BTreeMap<String, Digest>,
}

impl Catalog {
    /// The current timestamp of a path; the lowest for an unknown path.
    #[must_use]
    pub(crate) fn timestamp(&self, path: &str) -> DeployTimestamp {
        self.apps.get(path).map(|entry| entry.timestamp).unwrap_or_default()
    }

    /// The running archive of a path.
    #[must_use]
    pub(crate) fn active(&self, path: &str) -> Option<&ArchiveRef> {
        self.apps.get(path)?.archive.as_ref()
    }

    /// Makes an order current. The archive that ran before is kept for a rollback.
    pub(super) fn put(&mut self, DeployOrder { path, timestamp, archive, seal }: DeployOrder) {
        let old = self.apps.remove(&path);
        let digest = archive.as_ref().map(|archive| archive.digest);
        let differs = |kept: &ArchiveRef| Some(kept.digest) != digest;
        let went_back = old.as_ref().is_some_and(|old| {
            let repeats = old.went_back && old.archive.as_ref().is_some_and(|running| !differs(running));
            let returns =
                old.archive.is_some() && old.previous.as_ref().is_some_and(|previous| !differs(previous));
            repeats || returns
        });
        let previous = old.and_then(|old| old.archive.filter(differs).or(old.previous.filter(differs)));
        let entry = CatalogEntry { timestamp, archive, previous, went_back, seal, since_ms: 0 };
        self.apps.insert(path.clone(), entry);
        self.forget_oldest_removal(&path);
    }

    /// Seals the entries loaded from this node's disk again. The disk is trusted: its entries may be older
    /// than the key.
    pub(super) fn seal(&mut self, sealer: &Sealer) {
        for (path, entry) in &mut self.apps {
            let CatalogEntry { timestamp, archive, seal, .. } = entry.clone();
            let order = DeployOrder { path: path.clone(), timestamp, archive, seal };
            entry.seal = sealer.sealed(order, DeployStage::Held).seal;
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

    /// The archives needed by this node.
    pub(super) fn digests(&self) -> impl Iterator<Item = Digest> {
        self.apps
            .values()
            .flat_map(|entry| [&entry.archive, &entry.previous])
            .flatten()
            .map(|kept| kept.digest)
    }
}
