//! What an application consists of, as a few digits that differ when its content does. Not a proof of
//! anything.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::table::App;

/// Most files of a directory whose content counts, and most bytes of them all; of the others the names and
/// lengths do.
const FILES_MAX: usize = 10_000;
const BYTES_MAX: u64 = 256 << 20;
/// Deepest directory.
const DEPTH_MAX: usize = 32;

/// The digest of an application's file or directory; none for one that comes with the program.
pub(super) fn of_app(app: &App) -> Option<String> {
    let path = app.file.as_ref().or(app.directory.as_ref())?;
    Some(of_path(path).unwrap_or_else(|_| "cannot be read".to_owned()))
}

fn of_path(path: &Path) -> io::Result<String> {
    let mut content = Content { hasher: blake3::Hasher::new(), files: 0, bytes: 0 };
    content.add(path, 0)?;
    Ok(content.hasher.finalize().to_hex()[..12].to_owned())
}

struct Content {
    hasher: blake3::Hasher,
    files: usize,
    bytes: u64,
}

impl Content {
    fn add(&mut self, path: &Path, depth: usize) -> io::Result<()> {
        let metadata = path.metadata()?;
        if metadata.is_dir() {
            if depth == DEPTH_MAX {
                return Ok(());
            }
            let mut entries = std::fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
            entries.sort_by_key(std::fs::DirEntry::file_name);
            for entry in entries {
                self.hasher.update(entry.file_name().as_encoded_bytes()).update(&[0]);
                self.add(&entry.path(), depth + 1)?;
            }
            return Ok(());
        }
        self.files += 1;
        self.bytes = self.bytes.saturating_add(metadata.len());
        self.hasher.update(&metadata.len().to_be_bytes());
        if self.files <= FILES_MAX && self.bytes <= BYTES_MAX {
            self.read(path)?;
        }
        Ok(())
    }

    fn read(&mut self, path: &Path) -> io::Result<()> {
        let mut file = File::open(path)?;
        let mut piece = vec![0; 64 << 10];
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(()),
                length => self.hasher.update(&piece[..length]),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_decides_and_neither_time_nor_place() {
        let places = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        for place in &places {
            std::fs::create_dir(place.path().join("css")).unwrap();
            std::fs::write(place.path().join("css/a.css"), "one").unwrap();
        }
        let digests = || places.each_ref().map(|place| of_path(place.path()).unwrap());
        let [one, other] = digests();
        assert_eq!(one, other);
        std::fs::write(places[1].path().join("css/a.css"), "two").unwrap();
        assert_ne!(one, digests()[1], "of the same length");
        std::fs::rename(places[0].path().join("css/a.css"), places[0].path().join("css/b.css")).unwrap();
        assert_ne!(one, digests()[0]);
        assert!(of_path(&places[0].path().join("absent")).is_err());
    }
}
