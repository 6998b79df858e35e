//! What became of records that were saved, counted.

use sessile::store::{Outcome, Record, Store};

use super::location::failed;
use crate::failure::Failure;
use crate::output;

/// Counts of what was saved.
#[derive(Debug, Default)]
pub(super) struct SaveCounts {
    pub(super) saved: u64,
    pub(super) superseded: u64,
    pub(super) failed: u64,
}

impl SaveCounts {
    /// Saves the records. A record that the store refuses is told, and the others are saved.
    pub(super) async fn save(&mut self, store: &dyn Store, records: Vec<Record>) -> Result<(), Failure> {
        for outcome in store.save(records).await.map_err(failed)? {
            match outcome {
                Outcome::Saved => self.saved += 1,
                Outcome::Superseded => self.superseded += 1,
                Outcome::Failed(error) => self.refuse(&error.to_string()),
            }
        }
        Ok(())
    }

    /// One that cannot be saved, and why.
    pub(super) fn refuse(&mut self, why: &str) {
        output::tell(&format!("failed: {why}"));
        self.failed += 1;
    }

    /// Prints the counts; a failure when there were any.
    pub(super) fn conclude(&self) -> Result<(), Failure> {
        let Self { saved, superseded, failed } = self;
        output::print(&format!("saved {saved}, superseded {superseded}, failed {failed}"))?;
        match failed {
            0 => Ok(()),
            _ => Err(Failure::Failed(format!("{failed} records could not be saved; all others are"))),
        }
    }
}
