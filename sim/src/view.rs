//! The members of one process as its events tell them, and the size of its cluster: what its receipts must
//! want.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use sessile_core::{Event, Incarnation, Removal};

/// A mirror of a view, made from events alone.
#[derive(Clone)]
pub(crate) struct View {
    members: BTreeSet<Incarnation>,
    /// Members that may be about to be removed. They no longer count for the size, from a moment that no
    /// event tells.
    suspected: BTreeSet<Incarnation>,
    /// The largest view so far, less the members that said goodbye: with and without those that are
    /// suspected.
    most: u32,
    least: u32,
}

impl Default for View {
    fn default() -> Self {
        Self { members: BTreeSet::new(), suspected: BTreeSet::new(), most: 1, least: 1 }
    }
}

impl View {
    /// Something happened in the process.
    pub(crate) fn hear(&mut self, event: &Event) {
        match event {
            Event::MemberAdded { incarnation, .. } => {
                self.members.insert(*incarnation);
                let members = self.members.len() as u32;
                self.most = self.most.max(members + 1);
                self.least = self.least.max(members + 1 - self.suspected.len() as u32);
            }
            Event::MemberSuspected { incarnation, .. } => {
                self.suspected.insert(*incarnation);
            }
            Event::MemberRemoved { incarnation, cause, .. } => {
                self.forget(*incarnation);
                if *cause == Removal::Left {
                    self.most = self.most.saturating_sub(1).max(1);
                    self.least = self.least.saturating_sub(1).max(1);
                }
                // A member that others removed was not suspected here, and did not count from a moment that
                // was not told.
                if let Removal::Announced { .. } = cause {
                    self.least = self.least.min(self.members.len() as u32 + 1);
                }
            }
            Event::SteppedOut { .. } | Event::NameTaken { .. } => {
                self.members.clear();
                self.suspected.clear();
            }
            _ => {}
        }
    }

    fn forget(&mut self, member: Incarnation) {
        self.members.remove(&member);
        self.suspected.remove(&member);
    }

    /// Whether that process is a member.
    pub(crate) fn contains(&self, member: Incarnation) -> bool {
        self.members.contains(&member)
    }

    /// Members of which no other may be lost: all that ever were, and did not say goodbye, are here.
    pub(crate) fn is_whole(&self) -> bool {
        self.members.len() as u32 + 1 >= self.most
    }

    /// At least one member is lost, and none is in its place.
    pub(crate) fn is_lacking(&self) -> bool {
        (self.members.len() as u32) + 1 < self.least
    }

    /// Copies that a receipt may want.
    pub(crate) fn wanted(&self) -> RangeInclusive<u32> {
        self.least..=self.most
    }
}
