//! The file that holds the cluster's secrets: read only if it is private, never overwritten, never seen half
//! written.
//!
//! On Unix the permission bits are checked and set. Elsewhere the file inherits the access list of its
//! folder, which the operator must keep private.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::secret::{ClusterSecrets, SecretError};

/// Longest secret file in bytes; it is a few lines.
const FILE_LIMIT: u64 = 4096;

impl ClusterSecrets {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, others can read it, or a line is no secret: each names the remedy.
    pub fn load(path: &Path) -> Result<Self, SecretError> {
        let file = File::open(path).map_err(|source| failure(path, source))?;
        refuse_exposed(path, &file)?;
        // Longer than any file that is taken: it must not move in memory, and leave a copy there.
        let mut text = Zeroizing::new(String::with_capacity(FILE_LIMIT as usize));
        file.take(FILE_LIMIT).read_to_string(&mut text).map_err(|source| failure(path, source))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Makes a file with one new secret, readable by its owner only.
    ///
    /// # Errors
    /// [`SecretError::File`] with [`io::ErrorKind::AlreadyExists`] when there is one: it is never
    /// overwritten. Of two that create it at once, one gets this error, and the file is then complete.
    pub fn create(path: &Path) -> Result<Self, SecretError> {
        let secrets = Self::generate()?;
        let draft = draft_of(path)?;
        let written = write_private(&draft, &Zeroizing::new(secrets.to_text()))
            .and_then(|()| fs::hard_link(&draft, path));
        let removed = fs::remove_file(&draft);
        written.map_err(|source| failure(path, source))?;
        removed.map_err(|source| failure(&draft, source))?;
        Ok(secrets)
    }

    /// Puts these in the place of what the file holds: whoever reads it sees the old or the new content,
    /// whole.
    ///
    /// # Errors
    /// [`SecretError::File`]; the file is then as it was.
    pub fn replace(&self, path: &Path) -> Result<(), SecretError> {
        let draft = draft_of(path)?;
        let written =
            write_private(&draft, &Zeroizing::new(self.to_text())).and_then(|()| fs::rename(&draft, path));
        written.map_err(|source| {
            // It may not have been made.
            let _ = fs::remove_file(&draft);
            failure(path, source)
        })
    }

    /// Reads the file, or makes it when there is none. Of two that start at once, both end with the same
    /// secret.
    ///
    /// # Errors
    /// As [`load`](Self::load) and [`create`](Self::create), but for the file that already exists.
    pub fn load_or_create(path: &Path) -> Result<Self, SecretError> {
        match Self::load(path) {
            Err(SecretError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            loaded => return loaded,
        }
        match Self::create(path) {
            Err(SecretError::File { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
                Self::load(path)
            }
            created => created,
        }
    }
}

#[cfg(unix)]
fn refuse_exposed(path: &Path, file: &File) -> Result<(), SecretError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata().map_err(|source| failure(path, source))?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(SecretError::Exposed { path: path.display().to_string(), mode })
}

#[cfg(not(unix))]
fn refuse_exposed(_path: &Path, _file: &File) -> Result<(), SecretError> {
    Ok(())
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// A name beside `path` that no other creator uses.
fn draft_of(path: &Path) -> Result<PathBuf, SecretError> {
    let salt = getrandom::u64().map_err(|error| SecretError::Random(error.to_string()))?;
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{salt:016x}"));
    Ok(path.with_file_name(name))
}

fn failure(path: &Path, source: io::Error) -> SecretError {
    SecretError::File { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_created_file_is_private_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cluster.secret");
        let created = ClusterSecrets::create(&path).unwrap();
        assert_eq!(ClusterSecrets::load(&path).unwrap(), created);
        let again = ClusterSecrets::create(&path).unwrap_err();
        assert!(
            matches!(again, SecretError::File { source, .. } if source.kind() == io::ErrorKind::AlreadyExists)
        );
        assert_eq!(ClusterSecrets::load_or_create(&path).unwrap(), created);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft stays behind");
    }

    #[test]
    fn a_replaced_file_is_private_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cluster.secret");
        let both = ClusterSecrets::create(&path).unwrap().with_next().unwrap();
        both.replace(&path).unwrap();
        assert_eq!(ClusterSecrets::load(&path).unwrap(), both);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft stays behind");
    }

    #[test]
    fn of_many_creators_all_end_with_one_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cluster.secret");
        let creators: Vec<_> = (0..8)
            .map(|_| {
                let path = path.clone();
                std::thread::spawn(move || ClusterSecrets::load_or_create(&path).unwrap())
            })
            .collect();
        let secrets: Vec<_> = creators.into_iter().map(|creator| creator.join().unwrap()).collect();
        assert!(secrets.iter().all(|other| *other == secrets[0]));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_remedy() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cluster.secret");
        ClusterSecrets::create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = ClusterSecrets::load(&path).unwrap_err().to_string();
        assert!(error.contains("mode 640") && error.contains("chmod 600"), "{error}");
    }
}
