//! The in-memory index of the newest version of each session, about 150 bytes each.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use crate::app::AppName;
use crate::key::Key;
use crate::record::Record;
use crate::record_version::RecordVersion;

/// Location of a record, with its most needed fields.
#[derive(Clone, Debug)]
pub(super) struct FrameLocation {
    pub(super) segment: u64,
    /// Of the whole frame.
    pub(super) offset: u64,
    /// Of the whole frame.
    pub(super) length: usize,
    pub(super) app: AppName,
    pub(super) garbage_after: u64,
    ended: bool,
    version: RecordVersion,
}

impl FrameLocation {
    pub(super) fn of(record: &Record, segment: u64, at: Range<usize>) -> Self {
        Self {
            segment,
            offset: at.start as u64,
            length: at.len(),
            app: record.app.clone(),
            garbage_after: record.lifetime.garbage_millis(),
            ended: record.is_ended(),
            // Copy the bytes: the record's own version may keep a whole segment in memory.
            version: RecordVersion::new(record.version.as_bytes().to_vec())
                .expect("the same version, in memory of its own"),
        }
    }

    /// The final location of staged frames.
    pub(super) fn at(self, segment: u64, begin: u64) -> Self {
        Self { segment, offset: begin + self.offset, ..self }
    }

    pub(super) fn yields_to(&self, record: &Record) -> bool {
        record.rank() >= (self.ended, self.version.as_bytes())
    }

    pub(super) fn is_at(&self, segment: u64, offset: u64) -> bool {
        self.segment == segment && self.offset == offset
    }
}

/// The locations of all sessions.
#[derive(Debug, Default)]
pub(super) struct Index {
    spots: BTreeMap<Key, FrameLocation>,
    apps: HashSet<AppName>,
    live_bytes: u64,
}

impl Index {
    pub(super) fn get(&self, key: Key) -> Option<&FrameLocation> {
        self.spots.get(&key)
    }

    pub(super) fn insert(&mut self, key: Key, mut spot: FrameLocation) {
        match self.apps.get(&spot.app) {
            Some(known) => spot.app = known.clone(),
            None => drop(self.apps.insert(spot.app.clone())),
        }
        self.live_bytes += spot.length as u64;
        if let Some(before) = self.spots.insert(key, spot) {
            self.live_bytes -= before.length as u64;
        }
    }

    pub(super) fn remove(&mut self, key: Key) {
        if let Some(spot) = self.spots.remove(&key) {
            self.live_bytes -= spot.length as u64;
        }
    }

    /// In the order of their keys.
    pub(super) fn after(&self, key: Option<Key>) -> impl Iterator<Item = (&Key, &FrameLocation)> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.spots.range((key.map_or(Unbounded, Excluded), Unbounded))
    }

    pub(super) fn len(&self) -> usize {
        self.spots.len()
    }

    /// Bytes of all live frames.
    pub(super) fn live_bytes(&self) -> u64 {
        self.live_bytes
    }
}
