//! Reasons to refuse an archive.

use std::io;
use std::path::{Path, PathBuf};

use sessile::ConfigError;

/// The reason, with the name of the entry if one is at fault. The previous version keeps serving.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file name does not give a mount path.
    #[error("`{name}` is not the name of an archive: {problem}")]
    Name {
        /// The name of the file.
        name: String,
        /// The problem.
        problem: String,
    },
    /// A file of this machine cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The zip is damaged, or in an unsupported format.
    #[error("not a readable zip: {0}")]
    Zip(String),
    /// One of its files is refused.
    #[error("`{entry}` {problem}")]
    Entry {
        /// The name of the file in the archive.
        entry: String,
        /// The problem, phrased to follow the name.
        problem: String,
    },
    /// Too many files.
    #[error("{files} files are more than the {limit} of [farm] max_files")]
    TooManyFiles {
        /// How many it has.
        files: usize,
        /// How many it may have.
        limit: usize,
    },
    /// The files are too large.
    #[error("with `{entry}` the files are larger than the {limit} bytes of [farm] max_unpacked_bytes")]
    TooLarge {
        /// The file that exceeded the limit.
        entry: String,
        /// The limit.
        limit: u64,
    },
    /// The archive has nothing to run or to serve.
    #[error("there is neither `app.toml` nor `app.wasm` in it; a zip needs one of them at its top")]
    Empty,
    /// The manifest is invalid.
    #[error(transparent)]
    Manifest(#[from] ConfigError),
}

impl ArchiveError {
    pub(super) fn entry(entry: &str, problem: impl Into<String>) -> Self {
        Self::Entry { entry: shown(entry), problem: problem.into() }
    }

    pub(super) fn file(path: &Path, source: io::Error) -> Self {
        Self::File { path: path.to_owned(), source }
    }
}

/// Most characters of an untrusted name in a message.
const SHOWN: usize = 200;

/// An untrusted name, made safe for a log.
pub(super) fn shown(name: &str) -> String {
    let plain = name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    plain.take(SHOWN).collect()
}
