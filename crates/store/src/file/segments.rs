//! The files of the log and their folder.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::frame::{self, SALT, SEGMENT_HEADER, Salt};
use super::position::{sync_folder, write_all_at};
use crate::codec;

/// One file of the log.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) file: Arc<File>,
    /// Written length.
    pub(super) bytes: u64,
}

/// All files of the log; the last one grows.
#[derive(Debug)]
pub(super) struct Segments {
    folder: PathBuf,
    pub(super) salt: Salt,
    by_number: BTreeMap<u64, Segment>,
}

impl Segments {
    /// Opens the files in the folder.
    pub(super) fn open(folder: &Path, salt: Salt) -> io::Result<Self> {
        let mut by_number = BTreeMap::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if let Some(number) = number_of(&path) {
                let file = OpenOptions::new().read(true).write(true).open(&path)?;
                let bytes = file.metadata()?.len();
                by_number.insert(number, Segment { file: Arc::new(file), bytes });
            }
        }
        Ok(Self { folder: folder.into(), salt, by_number })
    }

    pub(super) fn get(&self, number: u64) -> Option<&Segment> {
        self.by_number.get(&number)
    }

    pub(super) fn numbers(&self) -> Vec<u64> {
        self.by_number.keys().copied().collect()
    }

    pub(super) fn oldest(&self) -> Option<u64> {
        self.by_number.keys().next().copied()
    }

    pub(super) fn last(&self) -> Option<(u64, &Segment)> {
        self.by_number.last_key_value().map(|(number, segment)| (*number, segment))
    }

    pub(super) fn total_bytes(&self) -> u64 {
        self.by_number.values().map(|segment| segment.bytes).sum()
    }

    /// Begins the next file; durable when this returns.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        let number = self.by_number.keys().next_back().map_or(1, |last| last + 1);
        let path = self.path(number);
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path)?;
        let begun = write_all_at(&file, &frame::segment_header(self.salt), 0).and_then(|()| file.sync_all());
        if let Err(error) = begun.and_then(|()| sync_folder(&self.folder)) {
            // At the next start an empty file would look damaged.
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        let segment = Segment { file: Arc::new(file), bytes: SEGMENT_HEADER as u64 };
        self.by_number.insert(number, segment);
        Ok(())
    }

    /// Sets the length of the last file.
    pub(super) fn grown(&mut self, bytes: u64) {
        if let Some(mut last) = self.by_number.last_entry() {
            last.get_mut().bytes = bytes;
        }
    }

    /// Deletes an unreferenced file. Running reads can finish.
    pub(super) fn delete(&mut self, number: u64) -> io::Result<()> {
        fs::remove_file(self.path(number))?;
        self.by_number.remove(&number);
        sync_folder(&self.folder)
    }

    /// The bytes of a whole file.
    pub(super) fn read(&self, number: u64) -> io::Result<Bytes> {
        let mut bytes = Vec::new();
        File::open(self.path(number))?.read_to_end(&mut bytes)?;
        Ok(bytes.into())
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:016x}.log"))
    }
}

fn number_of(path: &Path) -> Option<u64> {
    let digits = path.file_name()?.to_str()?.strip_suffix(".log")?;
    (digits.len() == 16).then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

/// The lock of the folder, until dropped.
#[derive(Debug)]
pub(super) struct FolderLock(File);

impl Drop for FolderLock {
    fn drop(&mut self) {
        // A newly forked child process may hold the file open for a moment.
        let _ = self.0.unlock();
    }
}

/// Locks the folder for this process; the lock file also keeps the store's salt.
pub(super) fn own(folder: &Path) -> io::Result<(FolderLock, Salt)> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)?;
    let path = folder.join("lock");
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "another process uses this folder; give each node its own folder",
            ));
        }
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let salt = salt_of(&file, folder)?;
    Ok((FolderLock(file), salt))
}

/// The salt from the lock file, or else from a segment, or else a new one.
fn salt_of(file: &File, folder: &Path) -> io::Result<Salt> {
    let mut kept = [0; SEGMENT_HEADER];
    if super::position::read_exact_at(file, &mut kept, 0).is_ok()
        && let frame::SegmentStart::Salted(salt) = frame::beginning(&kept)
    {
        return Ok(salt);
    }
    let salt = match salt_in_segments(folder)? {
        Some(salt) => salt,
        None => {
            let mut salt = [0; SALT];
            getrandom::fill(&mut salt).map_err(|error| io::Error::other(error.to_string()))?;
            Salt(salt)
        }
    };
    write_all_at(file, &frame::segment_header(salt), 0)?;
    file.sync_all()?;
    Ok(salt)
}

fn salt_in_segments(folder: &Path) -> io::Result<Option<Salt>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let mut header = [0; SEGMENT_HEADER];
        if number_of(&path).is_some()
            && File::open(&path)?.read_exact(&mut header).is_ok()
            && let frame::SegmentStart::Salted(salt) = frame::beginning(&header)
        {
            return Ok(Some(salt));
        }
    }
    Ok(None)
}

const _: () = assert!(codec::CHECK == 8, "headers are laid out for checks of 8 bytes");
