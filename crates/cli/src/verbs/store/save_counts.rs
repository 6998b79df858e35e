//! Results of saves, counted.

use serde_json::json;
use sessile::store::{Record, SaveOutcome, Store};

use super::location::failed;
use crate::failure::Failure;
use crate::output;

/// Counts of saved, superseded and failed records.
#[derive(Debug, Default)]
pub(super) struct SaveCounts {
    pub(super) saved: u64,
    pub(super) superseded: u64,
    pub(super) failed: u64,
}

impl SaveCounts {
    /// Saves the records. A record that the store rejects is printed, and the others are saved.
    pub(super) async fn save(&mut self, store: &dyn Store, records: Vec<Record>) -> Result<(), Failure> {
        for outcome in store.save(records).await.map_err(failed)? {
            match outcome {
                SaveOutcome::Saved => self.saved += 1,
                SaveOutcome::Superseded => self.superseded += 1,
                SaveOutcome::Failed(error) => self.refuse(&error.to_string()),
            }
        }
        Ok(())
    }

    /// Counts and prints a failed record.
    pub(super) fn refuse(&mut self, why: &str) {
        output::tell(&format!("failed: {why}"));
        self.failed += 1;
    }

    /// Prints the counts; a failure if records failed.
    pub(super) fn conclude(&self) -> Result<(), Failure> {
        let Self { saved, superseded, failed } = self;
        let words = format!("saved {saved}, superseded {superseded}, failed {failed}");
        output::result(&json!({ "saved": saved, "superseded": superseded, "failed": failed }), &words)?;
        match failed {
            0 => Ok(()),
            _ => Err(Failure::Failed(format!("{failed} records could not be saved; all others are"))),
        }
    }
}
