//! Compiled code on this node's disk, so that a restart does not compile again. It never leaves the node:
//! other nodes get the component and compile it themselves.

use std::fs;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use wasmtime::Engine;

use super::error::ComponentError;
use super::native_code::NativeCode;

/// Most kept files; the oldest are removed first.
const MAX_FILES: usize = 64;
const EXTENSION: &str = "native";

/// A private directory with one file for each component and engine.
pub(super) struct CompiledCode {
    directory: PathBuf,
}

impl CompiledCode {
    /// Creates the directory if missing, and removes other users' permissions.
    pub(super) fn open(directory: PathBuf) -> Result<Self, ComponentError> {
        match make_private(&directory) {
            Ok(()) => Ok(Self { directory }),
            Err(source) => Err(ComponentError::Cache { path: directory, source }),
        }
    }

    /// The compiled code of a component; `None` if it is missing or the file is damaged.
    pub(super) fn find(&self, engine: &Engine, wasm: &[u8]) -> Option<NativeCode> {
        let path = self.path(engine, wasm);
        let code = NativeCode::from_file(fs::read(&path).ok()?);
        if code.is_none() {
            tracing::warn!(path = %path.display(), "compiled code is damaged: compiling again");
        }
        code
    }

    /// Keeps code for the next start. The file is replaced atomically.
    pub(super) fn keep(&self, engine: &Engine, wasm: &[u8], code: &NativeCode) -> io::Result<()> {
        let path = self.path(engine, wasm);
        let unfinished = path.with_extension(format!("{}.unfinished", std::process::id()));
        fs::write(&unfinished, code.to_file())?;
        fs::rename(&unfinished, &path)?;
        self.forget_oldest()
    }

    fn path(&self, engine: &Engine, wasm: &[u8]) -> PathBuf {
        let mut name = DigestName(blake3::Hasher::new());
        name.write(wasm);
        engine.precompile_compatibility_hash().hash(&mut name);
        self.directory.join(format!("{}.{EXTENSION}", name.0.finalize().to_hex()))
    }

    fn forget_oldest(&self) -> io::Result<()> {
        let mut files: Vec<(SystemTime, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            files.push((entry.metadata()?.modified()?, entry.path()));
        }
        files.sort();
        let surplus = files.len().saturating_sub(MAX_FILES);
        files.iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
    }
}

/// A digest as file name, also for values that can only be hashed.
struct DigestName(blake3::Hasher);

impl Hasher for DigestName {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0 // Unused: the name is the whole digest.
    }
}

#[cfg(unix)]
fn make_private(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};

    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))
}

/// On other systems the directory inherits its permissions.
#[cfg(not(unix))]
fn make_private(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)
}
