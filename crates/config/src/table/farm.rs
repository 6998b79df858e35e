//! `[farm]`: where applications are dropped, and how they reach every node.

use std::path::PathBuf;
use std::time::Duration;

use super::{DAY, Grants, HOUR, SECOND};
use crate::form::{File, Flag, Number, Optional, Size, Time};
use crate::keys::{Table, Visitor};

/// `[farm]` (Tomcat: `FarmWarDeployer`). A node takes part in it when `watch_dir` or `deploy_dir` is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Farm {
    /// Archives that are put here run on every node; `None`: nothing is watched.
    pub watch_dir: Option<PathBuf>,
    /// Where this node keeps what is deployed; `None`: `NAME.apps` beside the configuration.
    pub deploy_dir: Option<PathBuf>,
    /// Where archives arrive and are unpacked; `None`: `temp` within `deploy_dir`.
    pub temp_dir: Option<PathBuf>,
    /// The key that deployments, removals and rollbacks need; `None` if the admin token is enough.
    pub deploy_key_file: Option<PathBuf>,
    /// Whether `watch_dir` is looked at.
    pub watch: bool,
    /// How often it is looked at.
    pub interval: Duration,
    /// Whether this node takes from others what was deployed or removed while it was away.
    pub catch_up: bool,
    /// The largest archive.
    pub max_archive_bytes: usize,
    /// Most bytes of all files in an archive, when they are unpacked.
    pub max_unpacked_bytes: usize,
    /// Most files in an archive.
    pub max_files: u32,
    /// How many bytes of an archive travel in one message.
    pub piece_bytes: usize,
    /// A deployment that is not prepared on every member by then is given up, and what came of it is dropped.
    pub deploy_time: Duration,
    /// The most that the manifest of an archive may ask for.
    pub grants: Grants,
}

impl Farm {
    /// Whether this node takes part.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.watch_dir.is_some() || self.deploy_dir.is_some()
    }
}

impl Default for Farm {
    fn default() -> Self {
        Self {
            watch_dir: None,
            deploy_dir: None,
            temp_dir: None,
            deploy_key_file: None,
            watch: true,
            interval: Duration::from_secs(1),
            catch_up: true,
            max_archive_bytes: 64 << 20,
            max_unpacked_bytes: 256 << 20,
            max_files: 10_000,
            piece_bytes: 128 << 10,
            deploy_time: Duration::from_secs(5 * 60),
            grants: Grants::default(),
        }
    }
}

impl Table for Farm {
    const NAME: &'static str = "farm";
    const MEANING: &'static str = "where applications are dropped, and how they reach every node";

    fn keys(&mut self, visitor: &mut impl Visitor) {
        let (archive, unpacked) = (Size(1 << 10..=1 << 30), Size(1 << 10..=8 << 30));
        visitor.key("watch_dir", Optional(File), &mut self.watch_dir, "archives put here run on every node");
        visitor.key("deploy_dir", Optional(File), &mut self.deploy_dir, "kept here; else NAME.apps");
        visitor.key("temp_dir", Optional(File), &mut self.temp_dir, "arrives here; else temp in deploy_dir");
        let key = "a key that deploying wants beside the admin token";
        visitor.key("deploy_key_file", Optional(File), &mut self.deploy_key_file, key);
        visitor.key("watch", Flag, &mut self.watch, "false: watch_dir is not looked at");
        visitor.key("interval", Time(100..=HOUR), &mut self.interval, "how often it is looked at");
        visitor.key("catch_up", Flag, &mut self.catch_up, "takes what was deployed while it was away");
        visitor.key("max_archive_bytes", archive, &mut self.max_archive_bytes, "the largest archive");
        visitor.key("max_unpacked_bytes", unpacked, &mut self.max_unpacked_bytes, "its files, unpacked");
        visitor.key("max_files", Number::within(1..=1_000_000), &mut self.max_files, "in one archive");
        let piece = Size(1 << 10..=512 << 10);
        visitor.key("piece_bytes", piece, &mut self.piece_bytes, "of an archive in one message");
        let deploy = Time(SECOND..=DAY);
        visitor.key(
            "deploy_time",
            deploy,
            &mut self.deploy_time,
            "not prepared everywhere by then: given up",
        );
    }
}
