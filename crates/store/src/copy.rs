//! From one store into another, or onto itself with new encryption.

use crate::error::{Damaged, StoreError};
use crate::store::{Outcome, Scan, Store};

/// What became of a copy.
#[derive(Debug, Default)]
pub struct Copied {
    /// Records that are now in the target.
    pub saved: u64,
    /// Records of which the target has a newer version.
    pub superseded: u64,
    /// Records that were damaged in the source.
    pub damaged: Vec<Damaged>,
    /// Records that the target refused, with the reason.
    pub failed: Vec<StoreError>,
}

/// How many records are moved at once.
const PAGE: usize = 256;

/// Copies all records, tombstones too. The target keeps what it has that is newer, so both may be in use meanwhile,
/// and a copy that was interrupted is simply begun again. With the same [`Encrypted`](crate::Encrypted) as source
/// and target, everything is encrypted anew with the first key. `progress` is told after each page.
///
/// # Errors
/// The source could not be read or the target not be written; what was copied until then stays.
pub async fn copy(
    from: &dyn Store,
    to: &dyn Store,
    mut progress: impl FnMut(&Copied),
) -> Result<Copied, StoreError> {
    let mut copied = Copied::default();
    let mut scan = Scan::pages_of(PAGE);
    loop {
        let mut page = from.scan(scan.clone()).await?;
        copied.damaged.append(&mut page.damaged);
        for outcome in to.save(page.records).await? {
            match outcome {
                Outcome::Saved => copied.saved += 1,
                Outcome::Superseded => copied.superseded += 1,
                Outcome::Failed(error) => copied.failed.push(error),
            }
        }
        progress(&copied);
        match page.next {
            Some(key) => scan.after = Some(key),
            None => return Ok(copied),
        }
    }
}
