//! Where a node keeps what it deploys, what it unpacks and what it compiles.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use sessile::Config;

/// How files begin that are not whole yet.
pub(crate) const DRAFT: &str = "draft-";

/// The directories of one node, which no other process uses while this lives.
#[derive(Debug)]
pub struct Directories {
    /// The archives that are deployed, and the list of them.
    pub deploy: PathBuf,
    /// What arrives and what is unpacked; empty at first.
    pub temp: PathBuf,
    /// Compiled components.
    pub compiled: PathBuf,
    /// Locked.
    _lock: File,
}

/// A directory that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}; set [farm] deploy_dir and temp_dir to directories of this node alone", path.display())]
pub struct NoDirectory {
    path: PathBuf,
    source: io::Error,
}

impl Directories {
    /// Makes the directories that the configuration of a node names, and clears what an earlier process left in `temp`.
    /// `None` for a node that has no archives: it needs none.
    ///
    /// # Errors
    /// One of them cannot be made, or another process uses it.
    pub fn open(config: &Config) -> Result<Option<Self>, NoDirectory> {
        if !config.farm.is_on() && config.apps.iter().all(|app| app.file.is_none()) {
            return Ok(None);
        }
        let name = &config.node.name;
        let deploy = config.farm.deploy_dir.clone();
        let deploy = deploy.unwrap_or_else(|| config.directory.join(format!("{name}.apps")));
        // Nodes of one machine may be given the same directory: each has its own part.
        let temp = config.farm.temp_dir.as_ref().map_or_else(|| deploy.join("temp"), |temp| temp.join(name));
        let compiled = deploy.join("compiled");
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| NoDirectory { path, source }
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

/// Nobody else looks into what runs here.
fn make(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

/// What a process that was killed had not finished.
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
    fn one_process_has_them_and_what_it_left_is_cleared() {
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
