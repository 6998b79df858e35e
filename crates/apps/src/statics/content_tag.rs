//! Entity tags of files that may change at any time: a digest of the content.
//!
//! Size and time do not decide: a copy that keeps both (`rsync -t`, the layers of an image) may have another
//! content. A digest is remembered for as long as the system says that nothing was written to the file.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, Seek, SeekFrom};
use std::time::Duration;

use parking_lot::Mutex;

/// Hex digits of a digest in a tag.
const DIGITS: usize = 32;
/// Most remembered digests; then all are forgotten.
const MAX_REMEMBERED: usize = 10_000;
/// A file that was written more recently is not remembered: the system's times are coarse, and a second
/// change may have the same one.
const SETTLED_AFTER: Duration = Duration::from_secs(2);
/// Files whose content is read at once to be digested; further ones wait.
const MAX_DIGESTING: usize = 2;

/// The tags of one directory.
#[derive(Debug)]
pub(super) struct ContentTags {
    known: Mutex<HashMap<FileState, String>>,
    digesting: tokio::sync::Semaphore,
}

/// Changes whenever something is written to the file, or another file takes its place. No program can set the
/// time of the last change of status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct FileState {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Default for ContentTags {
    fn default() -> Self {
        Self { known: Mutex::default(), digesting: tokio::sync::Semaphore::new(MAX_DIGESTING) }
    }
}

impl ContentTags {
    /// The tag of an open file, which is at its beginning afterwards.
    pub(super) async fn of(&self, file: File) -> io::Result<(File, String)> {
        let state = FileState::of(&file.metadata()?);
        let known = || state.and_then(|state| self.known.lock().get(&state).cloned());
        if let Some(tag) = known() {
            return Ok((file, tag));
        }
        let _permit = self.digesting.acquire().await.map_err(io::Error::other)?;
        if let Some(tag) = known() {
            return Ok((file, tag));
        }
        let digested = tokio::task::spawn_blocking(move || digested(file)).await.map_err(io::Error::other)?;
        let (file, tag) = digested?;
        if let Some(state) = state.filter(FileState::is_settled) {
            let mut known = self.known.lock();
            if known.len() >= MAX_REMEMBERED {
                known.clear();
            }
            known.insert(state, tag.clone());
        }
        Ok((file, tag))
    }
}

fn digested(mut file: File) -> io::Result<(File, String)> {
    let mut hasher = blake3::Hasher::new();
    io::copy(&mut file, &mut hasher)?;
    file.seek(SeekFrom::Start(0))?;
    Ok((file, format!("\"{}\"", &hasher.finalize().to_hex()[..DIGITS])))
}

impl FileState {
    #[cfg(unix)]
    #[allow(clippy::unnecessary_wraps, reason = "other systems have none")]
    fn of(found: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;

        Some(Self {
            device: found.dev(),
            inode: found.ino(),
            length: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }

    /// Other systems tell no time that programs cannot set: there each answer digests its file.
    #[cfg(not(unix))]
    fn of(_: &Metadata) -> Option<Self> {
        None
    }

    fn is_settled(&self) -> bool {
        let (seconds, nanoseconds) = self.changed;
        let parts = u64::try_from(seconds).ok().zip(u32::try_from(nanoseconds).ok());
        let changed = parts.map(|(seconds, nanoseconds)| Duration::new(seconds, nanoseconds));
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok();
        changed.zip(now).is_some_and(|(changed, now)| now >= changed + SETTLED_AFTER)
    }
}
