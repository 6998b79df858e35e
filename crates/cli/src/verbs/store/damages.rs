//! DamagedRecord records: exit code 1 after everything else is done. The log names each record.

use crate::failure::Failure;

/// Counts damaged records.
#[derive(Debug, Default)]
pub(super) struct Damages(usize);

impl Damages {
    /// Adds damaged records.
    pub(super) fn add(&mut self, damaged: usize) {
        self.0 += damaged;
    }

    /// A failure if records were damaged.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        match self.0 {
            0 => Ok(()),
            count => Err(Failure::Failed(format!(
                "{count} stored sessions are damaged, see above; everything else was done"
            ))),
        }
    }
}
