//! Copies one store into another, or onto itself with new encryption.

use crate::error::{DamagedRecord, StoreError};
use crate::store::{SaveOutcome, Scan, Store};

/// The result of a copy.
#[derive(Debug, Default)]
pub struct CopyReport {
    /// Records that are now in the target.
    pub saved: u64,
    /// Records for which the target has a newer version.
    pub superseded: u64,
    /// Records that were damaged in the source.
    pub damaged: Vec<DamagedRecord>,
    /// Records refused by the target, with the reason.
    pub failed: Vec<StoreError>,
}

/// Records of one page.
const PAGE: usize = 256;

/// Copies all records, including tombstones. Newer records of the target stay, so both stores may be in use
/// meanwhile, and an interrupted copy can simply be repeated. With the same [`Encrypted`](crate::Encrypted)
/// as source and target, all content is re-encrypted with the first key. `progress` is called after each
/// page.
///
/// # Errors
/// The source could not be read or the target not be written; the copied records stay.
pub async fn copy(
    from: &dyn Store,
    to: &dyn Store,
    mut progress: impl FnMut(&CopyReport),
) -> Result<CopyReport, StoreError> {
    let mut copied = CopyReport::default();
    let mut scan = Scan::pages_of(PAGE);
    loop {
        let mut page = from.scan(scan.clone()).await?.all_decrypted()?;
        copied.damaged.append(&mut page.damaged);
        for outcome in to.save(page.records).await? {
            match outcome {
                SaveOutcome::Saved => copied.saved += 1,
                SaveOutcome::Superseded => copied.superseded += 1,
                SaveOutcome::Failed(error) => copied.failed.push(error),
            }
        }
        progress(&copied);
        match page.next {
            Some(key) => scan.after = Some(key),
            None => return Ok(copied),
        }
    }
}
