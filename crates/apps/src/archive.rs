//! Archives: the files that are deployed as applications.
//!
//! A bare WebAssembly component (`shop.wasm`), or a zip (`shop.zip`, `shop.wapp`) with the manifest
//! `app.toml`, the component it names and the files it serves. [`ArchiveName`] gives the mount path,
//! [`Manifest`] the settings. The author of an archive is not trusted: nothing is written outside of the
//! given directory, and no more than the [`ArchiveLimits`] allow, whatever its headers say.
//!
//! Must not know: other nodes, sessions, how an application is run. Next: `archive/unpack.rs`.

mod entry;
mod entry_count;
mod error;
mod manifest;
mod name;
mod unpack;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use tempfile::TempDir;

pub use error::ArchiveError;
pub use manifest::Manifest;
pub use name::{ArchiveName, Kind};

/// First bytes of a component; the same magic with another version is a core module.
const COMPONENT: &[u8; 8] = b"\0asm\x0d\0\x01\0";
/// Magic bytes of all WebAssembly files.
const WASM: &[u8] = b"\0asm";

/// Limits of an archive's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// Bytes of all its files, unpacked.
    pub unpacked_bytes: u64,
    /// How many files and directories it has.
    pub files: usize,
}

/// The content of a valid archive.
#[derive(Debug)]
pub struct Archive {
    /// Settings of the application; the defaults for a bare component.
    pub manifest: Manifest,
    /// The component.
    pub component: Option<Bytes>,
    /// Its static files, unpacked; removed when dropped.
    pub files: Option<TempDir>,
}

impl Archive {
    /// Reads the archive at `path`, called `name`, and unpacks its files into a new directory below `temp`.
    /// Blocks on the disk: do not call on a serving thread.
    ///
    /// # Errors
    /// [`ArchiveError`] names the reason and the entry, and nothing of it is left in `temp`.
    pub fn open(
        path: &Path,
        name: &ArchiveName,
        temp: &Path,
        bounds: ArchiveLimits,
    ) -> Result<Self, ArchiveError> {
        let file = File::open(path).map_err(|source| ArchiveError::file(path, source))?;
        match name.kind {
            Kind::Zip => unpack::open(file, name, temp, bounds),
            Kind::Component => Self::bare(file, path, name, bounds),
        }
    }

    fn bare(
        file: File,
        path: &Path,
        name: &ArchiveName,
        bounds: ArchiveLimits,
    ) -> Result<Self, ArchiveError> {
        let mut bytes = Vec::new();
        let read = file.take(bounds.unpacked_bytes + 1).read_to_end(&mut bytes);
        read.map_err(|source| ArchiveError::file(path, source))?;
        if bytes.len() as u64 > bounds.unpacked_bytes {
            return Err(ArchiveError::TooLarge { entry: name.to_string(), limit: bounds.unpacked_bytes });
        }
        let component = Some(component(&name.to_string(), bytes)?);
        Ok(Self { manifest: Manifest::default(), component, files: None })
    }
}

/// Checks the first bytes of a component.
fn component(entry: &str, bytes: Vec<u8>) -> Result<Bytes, ArchiveError> {
    if bytes.starts_with(COMPONENT) {
        return Ok(bytes.into());
    }
    let problem = if bytes.starts_with(WASM) {
        "is a core module, not a component; build it for the target wasm32-wasip2, or wrap it with `wasm-tools component new`"
    } else {
        "is not a WebAssembly component"
    };
    Err(ArchiveError::entry(entry, problem))
}
