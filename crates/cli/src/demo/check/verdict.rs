//! Judges the observations of the check.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sessile_apps::clusterapp::payload;

use super::observation::ObservationKind;
use super::size_of;

/// A violated guarantee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CheckFinding {
    /// An acknowledged write is missing.
    Lost { place: AttributeLocation, acknowledged: u64, read: Option<u64> },
    /// An older write that was sent more than once took effect again after a newer write.
    Doubled { place: AttributeLocation, acknowledged: u64, read: u64 },
    /// The value was never written there.
    Foreign { place: AttributeLocation, read: u64 },
    /// The bytes differ from the written ones.
    Damaged { place: AttributeLocation, read: u64 },
    /// A client with a session received a new session.
    SessionLost { sid: String, instead: String, node: String },
}

/// Where a value was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AttributeLocation {
    pub(super) sid: String,
    pub(super) name: String,
    pub(super) node: String,
}

/// All writes known to the clients, and the findings.
#[derive(Debug, Default)]
pub(super) struct CheckVerdict {
    attributes: BTreeMap<(String, String), AttributeWrites>,
    pub(super) acknowledged: u64,
    pub(super) unknown: u64,
    /// One finding for each violated attribute or session, however often it is read.
    pub(super) findings: Vec<CheckFinding>,
}

/// The writes of one attribute.
#[derive(Debug, Default)]
struct AttributeWrites {
    /// The newest acknowledged version.
    acknowledged: Option<u64>,
    /// Every version that was sent.
    sent: BTreeSet<u64>,
    /// Versions that were sent more than once or never acknowledged.
    repeated: BTreeSet<u64>,
    /// A finding exists for the attribute.
    is_found: bool,
}

impl CheckVerdict {
    /// Adds one observation. Observations of one session must come in their order.
    pub(super) fn note(&mut self, seen: &ObservationKind) {
        match seen {
            ObservationKind::Acknowledged { sid, name, v, node, before, .. } => {
                self.acknowledged += 1;
                if let Some(before) = before
                    && before != sid
                {
                    let (sid, instead, node) = (before.clone(), sid.clone(), node.clone());
                    self.findings.push(CheckFinding::SessionLost { sid, instead, node });
                }
                let writes = self.writes(sid, name);
                if !writes.sent.insert(*v) {
                    writes.repeated.insert(*v);
                }
                writes.acknowledged = writes.acknowledged.max(Some(*v));
            }
            ObservationKind::Unknown { sid, name, v, .. } => {
                self.unknown += 1;
                if let Some(sid) = sid {
                    let writes = self.writes(sid, name);
                    writes.sent.insert(*v);
                    writes.repeated.insert(*v);
                }
            }
            ObservationKind::Read { sid, name, node, v, len, fnv } => {
                let place = AttributeLocation { sid: sid.clone(), name: name.clone(), node: node.clone() };
                let whole = v.is_none_or(|v| is_whole(v, *len, *fnv));
                let finding = self.judge(place, *v, whole);
                let is_found = &mut self.writes(sid, name).is_found;
                if finding.is_some() && !std::mem::replace(is_found, true) {
                    self.findings.extend(finding);
                }
            }
            ObservationKind::Killed { .. } | ObservationKind::Back { .. } => {}
        }
    }

    /// Every attribute that holds an acknowledged write.
    pub(super) fn acknowledged_attributes(&self) -> Vec<(String, String)> {
        let held = self.attributes.iter().filter(|(_, writes)| writes.acknowledged.is_some());
        held.map(|(attribute, _)| attribute.clone()).collect()
    }

    /// How many acknowledged writes, or sessions, are lost.
    pub(super) fn lost(&self) -> usize {
        self.findings.iter().filter(|finding| !matches!(finding, CheckFinding::Doubled { .. })).count()
    }

    /// How many writes took effect again after a newer one.
    pub(super) fn doubled(&self) -> usize {
        self.findings.len() - self.lost()
    }

    fn judge(&self, place: AttributeLocation, read: Option<u64>, whole: bool) -> Option<CheckFinding> {
        let writes = self.attributes.get(&(place.sid.clone(), place.name.clone()));
        let acknowledged = writes.and_then(|writes| writes.acknowledged);
        let Some(v) = read else {
            return acknowledged.map(|acknowledged| CheckFinding::Lost { place, acknowledged, read });
        };
        if !writes.is_some_and(|writes| writes.sent.contains(&v)) {
            return Some(CheckFinding::Foreign { place, read: v });
        }
        if !whole {
            return Some(CheckFinding::Damaged { place, read: v });
        }
        let acknowledged = acknowledged.filter(|acknowledged| v < *acknowledged)?;
        if writes.is_some_and(|writes| writes.repeated.contains(&v)) {
            return Some(CheckFinding::Doubled { place, acknowledged, read: v });
        }
        Some(CheckFinding::Lost { place, acknowledged, read })
    }

    fn writes(&mut self, sid: &str, name: &str) -> &mut AttributeWrites {
        self.attributes.entry((sid.to_owned(), name.to_owned())).or_default()
    }
}

fn is_whole(v: u64, len: Option<u64>, fnv: Option<u32>) -> bool {
    let size = size_of(v);
    len == Some(size as u64) && fnv == Some(payload::fnv(&payload::payload(v, size)))
}

impl fmt::Display for CheckFinding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost { place, acknowledged, read: Some(read) } => {
                write!(out, "lost: {place} holds version {read}, but {acknowledged} was acknowledged")
            }
            Self::Lost { place, acknowledged, read: None } => {
                write!(out, "lost: {place} holds nothing, but version {acknowledged} was acknowledged")
            }
            Self::Doubled { place, acknowledged, read } => write!(
                out,
                "doubled: {place} holds version {read}, a write that took effect again after {acknowledged}, which \
                 was acknowledged"
            ),
            Self::Foreign { place, read } => {
                write!(out, "foreign: {place} holds version {read}, which was never written there")
            }
            Self::Damaged { place, read } => {
                write!(out, "damaged: {place} holds version {read} with other bytes than were written")
            }
            Self::SessionLost { sid, instead, node } => {
                write!(
                    out,
                    "lost: session {sid} as a whole; {node} gave its client the new session {instead}"
                )
            }
        }
    }
}

impl fmt::Display for AttributeLocation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "session {}, attribute {}: {}", self.sid, self.name, self.node)
    }
}

#[cfg(test)]
mod tests;
