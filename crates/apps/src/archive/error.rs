//! Why an archive is refused.

use std::io;
use std::path::{Path, PathBuf};

use sessile::ConfigError;

/// The reason, with the name of the entry where it is in one. Whatever served before goes on.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Nobody could tell from its name where it is mounted.
    #[error("`{name}` is no name of an archive: {problem}")]
    Name {
        /// The name of the file.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A file of this machine cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The zip is damaged, or made in a way that is not read.
    #[error("no zip that can be read: {0}")]
    Zip(String),
    /// One of its files is not taken.
    #[error("`{entry}` {problem}")]
    Entry {
        /// The name of the file in the archive.
        entry: String,
        /// What is wrong with it, to be read after its name.
        problem: String,
    },
    /// It has too many files.
    #[error("{files} files are more than the {limit} of [farm] max_files")]
    TooManyFiles {
        /// How many it has.
        files: usize,
        /// How many it may have.
        limit: usize,
    },
    /// Its files are too large.
    #[error("with `{entry}` the files are larger than the {limit} bytes of [farm] max_unpacked_bytes")]
    TooLarge {
        /// The one with which the limit was passed.
        entry: String,
        /// The limit.
        limit: u64,
    },
    /// There is nothing in it that could be run or served.
    #[error("there is neither `app.toml` nor `app.wasm` in it; a zip needs one of them at its top")]
    Empty,
    /// Its manifest is wrong.
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

/// Most characters of a foreign name in a message.
const SHOWN: usize = 200;

/// A name that somebody else chose, as it may stand in a log.
pub(super) fn shown(name: &str) -> String {
    let plain = name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c });
    plain.take(SHOWN).collect()
}
