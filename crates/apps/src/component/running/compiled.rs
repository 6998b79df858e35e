//! Compiled code on this node's disk, so that a restart does not compile again. It never leaves the node: others get the
//! component and compile it themselves.

use std::fs;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use wasmtime::Engine;

use super::error::ComponentError;
use super::native_code::NativeCode;

/// Files that are kept; the oldest go first.
const MAX_FILES: usize = 64;
const EXTENSION: &str = "native";

/// A directory that only this user can enter, with one file for each component and engine.
pub(super) struct CompiledCode {
    directory: PathBuf,
}

impl CompiledCode {
    /// Makes the directory where it is missing, and takes others' permissions away.
    pub(super) fn open(directory: PathBuf) -> Result<Self, ComponentError> {
        match make_private(&directory) {
            Ok(()) => Ok(Self { directory }),
            Err(source) => Err(ComponentError::Cache { path: directory, source }),
        }
    }

    /// The code of a component that was compiled before; `None` when it was not, or the file is damaged.
    pub(super) fn find(&self, engine: &Engine, wasm: &[u8]) -> Option<NativeCode> {
        let path = self.path(engine, wasm);
        let code = NativeCode::from_file(fs::read(&path).ok()?);
        if code.is_none() {
            tracing::warn!(path = %path.display(), "compiled code is damaged: compiling again");
        }
        code
    }

    /// Keeps code for the next start. The file is there as a whole or not at all.
    pub(super) fn keep(&self, engine: &Engine, wasm: &[u8], code: &NativeCode) -> io::Result<()> {
        let path = self.path(engine, wasm);
        let unfinished = path.with_extension(format!("{}.unfinished", std::process::id()));
        fs::write(&unfinished, code.to_file())?;
        fs::rename(&unfinished, &path)?;
        self.forget_oldest()
    }

    fn path(&self, engine: &Engine, wasm: &[u8]) -> PathBuf {
        let mut name = Name(blake3::Hasher::new());
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

/// A file name that is a digest, also of what can only be hashed.
struct Name(blake3::Hasher);

impl Hasher for Name {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0 // Asked by nobody: the name is the whole digest.
    }
}

#[cfg(unix)]
fn make_private(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};

    fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))
}

/// Elsewhere the directory has the permissions of the one that it is in.
#[cfg(not(unix))]
fn make_private(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)
}
