//! The quarantine: a folder with one file for each damaged range, for inspection.
//!
//! A file is named by segment and offset, never by a session, so damage found twice is one file.

use std::fs;
use std::io;
use std::path::PathBuf;

/// Most kept files; later damage is reported, but its bytes are not copied.
pub(super) const LIMIT: u64 = 1000;

#[derive(Debug)]
pub(super) struct Quarantine {
    folder: PathBuf,
    files: u64,
}

impl Quarantine {
    pub(super) fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let files = fs::read_dir(&folder)?.count() as u64;
        Ok(Self { folder, files })
    }

    pub(super) fn files(&self) -> u64 {
        self.files
    }

    /// Keeps a copy; returns its place, or why there is none.
    pub(super) fn put(&mut self, segment: u64, offset: u64, bytes: &[u8]) -> String {
        let path = self.folder.join(format!("{segment:016x}-{offset:016x}.bin"));
        if path.exists() {
            return path.display().to_string();
        }
        let found = format!("segment {segment:016x} at {offset}");
        if self.files >= LIMIT {
            return format!("{found} (no copy: {LIMIT} are in {} already)", self.folder.display());
        }
        match fs::write(&path, bytes) {
            Ok(()) => {
                self.files += 1;
                path.display().to_string()
            }
            Err(error) => format!("{found} (no copy: {error})"),
        }
    }
}
