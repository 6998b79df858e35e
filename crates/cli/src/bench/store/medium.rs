//! Speed of the medium without a store: the same bytes, written to a file and synced in the same batches.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use super::load::StoreLoad;

/// Sessions a second.
pub(super) fn measure(load: StoreLoad, folder: &Path) -> io::Result<f64> {
    let path = folder.join("medium");
    let mut file = File::create(&path)?;
    let batch = vec![0x5a; load.bytes * load.batch];
    let begun = Instant::now();
    for first in (0..load.sessions).step_by(load.batch) {
        let sessions = load.batch.min(load.sessions - first);
        file.write_all(&batch[..sessions * load.bytes])?;
        file.sync_data()?;
    }
    let rate = load.sessions as f64 / begun.elapsed().as_secs_f64();
    fs::remove_file(&path)?;
    Ok(rate)
}
