//! What was found damaged: told at once, and a reason for exit code 1 when everything else is done.

use sessile_store::Damaged;

use crate::failure::Failure;
use crate::output;

/// Counts damaged records.
#[derive(Debug, Default)]
pub(super) struct Damages(u64);

impl Damages {
    /// Tells each of them.
    pub(super) fn tell(&mut self, damaged: &[Damaged]) {
        for damage in damaged {
            output::tell(&format!("damaged: {damage}"));
            self.0 += 1;
        }
    }

    /// A failure when there were any.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        if self.0 == 0 {
            return Ok(());
        }
        Err(Failure::Failed(format!(
            "{} damaged records were put aside and are not in the store any more; all others are as they were",
            self.0
        )))
    }
}
