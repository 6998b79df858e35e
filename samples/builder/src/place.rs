//! Where the samples are, and where what is built of them goes.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The directories of one run.
pub struct Place {
    /// The repository.
    root: PathBuf,
    guests: PathBuf,
}

impl Place {
    pub fn here() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
        let guests = env::var_os("SESSILE_GUESTS").map_or_else(|| root.join("target/guests"), PathBuf::from);
        fs::create_dir_all(&guests).with_context(|| format!("{} cannot be made", guests.display()))?;
        Ok(Self { root, guests })
    }

    /// The sources of a sample.
    pub fn sample(&self, name: &str) -> PathBuf {
        self.root.join("samples").join(name)
    }

    /// The interfaces that samples are built for.
    pub fn wit(&self) -> PathBuf {
        self.root.join("crates/apps/wit")
    }

    /// A directory for what is made on the way.
    pub fn workshop(&self, name: &str) -> Result<PathBuf> {
        let path = self.guests.join("build").join(name);
        fs::create_dir_all(&path).with_context(|| format!("{} cannot be made", path.display()))?;
        Ok(path)
    }

    /// The finished component.
    pub fn component(&self, name: &str) -> PathBuf {
        self.guests.join(format!("{name}.wasm"))
    }

    /// Puts the finished component in place, as a whole.
    pub fn finish(&self, name: &str, component: &[u8]) -> Result<()> {
        let unfinished = self.guests.join(format!("{name}.unfinished"));
        fs::write(&unfinished, component)?;
        Ok(fs::rename(&unfinished, self.component(name))?)
    }
}
