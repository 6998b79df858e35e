//! Directories of a node for deployed archives, unpacked files and compiled code.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use sessile::Config;

/// Name prefix of incomplete files.
pub(crate) const DRAFT: &str = "draft-";

/// The directories of one node, locked against other processes.
#[derive(Debug)]
pub struct Directories {
    /// The deployed archives and their catalog.
    pub deploy: PathBuf,
    /// Arriving and unpacked archives; emptied at the start.
    pub temp: PathBuf,
    /// Compiled components.
    pub compiled: PathBuf,
    /// Locked.
    _lock: File,
}

/// A directory that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}; set [farm] deploy_dir and temp_dir to directories of this node alone", path.display())]
pub struct DirectoryError {
    path: PathBuf,
    source: io::Error,
}

impl Directories {
    /// Creates the directories of a node's configuration and clears `temp`. `None` for a node without
    /// archives.
    ///
    /// # Errors
    /// A directory cannot be created, or another process uses it.
    pub fn open(config: &Config) -> Result<Option<Self>, DirectoryError> {
        if !config.farm.is_on() && config.apps.iter().all(|app| app.file.is_none()) {
            return Ok(None);
        }
        let name = &config.node.name;
        let deploy = config.farm.deploy_dir.clone();
        let deploy = deploy.unwrap_or_else(|| config.directory.join(format!("{name}.apps")));
        // Nodes of one machine may share a configured directory: each uses its own subdirectory.
        let temp = config.farm.temp_dir.as_ref().map_or_else(|| deploy.join("temp"), |temp| temp.join(name));
        let compiled = deploy.join("compiled");
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| DirectoryError { path, source }
        };
        make(&deploy).map_err(failed(&deploy))?;
        let lock = locked(&deploy.join("lock")).map_err(failed(&deploy))?;
        remove_drafts(&deploy).map_err(failed(&deploy))?;
        if temp.exists() {
            fs::remove_dir_all(&temp).map_err(failed(&temp))?;
        }
        make(&temp).map_err(failed(&temp))?;
        make(&compiled).map_err(failed(&compiled))?;
        Ok(Some(Self { deploy, temp, compiled, _lock: lock }))
    }
}

/// Private to this user.
fn make(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

/// Removes the incomplete files of a killed process.
fn remove_drafts(deploy: &Path) -> io::Result<()> {
    for entry in fs::read_dir(deploy)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(DRAFT) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn locked(path: &Path) -> io::Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(io::Error::other("another process uses it")),
        Err(TryLockError::Error(source)) => Err(source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_exclusive_and_cleared_at_the_start() {
        let place = tempfile::tempdir().unwrap();
        let mut config = Config { directory: place.path().to_owned(), ..Config::default() };
        assert!(Directories::open(&config).unwrap().is_none(), "nothing is deployed");
        config.farm.watch_dir = Some(place.path().join("webapps"));
        config.farm.temp_dir = Some(place.path().to_owned());
        let first = Directories::open(&config).unwrap().unwrap();
        assert_eq!(
            (first.deploy.clone(), first.temp.clone()),
            (place.path().join("tc01.apps"), place.path().join("tc01"))
        );
        fs::write(first.temp.join("left"), "over").unwrap();
        fs::write(first.deploy.join("draft-x"), "half").unwrap();
        assert!(Directories::open(&config).unwrap_err().to_string().contains("another process uses it"));
        drop(first);
        let second = Directories::open(&config).unwrap().unwrap();
        assert_eq!(fs::read_dir(&second.temp).unwrap().count(), 0);
        assert!(!second.deploy.join("draft-x").exists());
    }
}
