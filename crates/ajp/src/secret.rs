//! The secret that a web server shows with each request.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// Fewest characters of a secret: what is shorter can be guessed.
const SHORTEST: usize = 16;
/// Most characters of a secret, and of what a peer shows.
const LONGEST: usize = 1024;
/// Most secrets in a file: the one in use, and one that replaces it or is replaced.
const MAX_SECRETS: usize = 2;
/// Most bytes of a secret file.
const MAX_FILE_BYTES: u64 = 4096;

/// The secrets that are accepted. Clones are the same ones; only their digests stay in memory.
#[derive(Clone)]
pub struct Secrets(Arc<RwLock<Vec<blake3::Hash>>>);

/// Why a file holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// It cannot be read.
    #[error("the secret file {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// Others may read it.
    #[error("the secret file {path} can be read by others (mode {mode:03o}); run: chmod 600 {path}", path = path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The content is no secret.
    #[error("the secret file {}: {problem}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// The problem, and the remedy.
        problem: String,
    },
}

impl Secrets {
    /// Reads a file with a secret in a line, or two that are both accepted while one replaces the other. A
    /// secret has 16 to 1024 printable ASCII characters.
    ///
    /// # Errors
    /// The file is absent, readable by others, or holds something else.
    ///
    /// ```
    /// # let place = tempfile::tempdir().unwrap();
    /// # let path = place.path().join("ajp.secret");
    /// # std::fs::write(&path, "correct-horse-battery\n").unwrap();
    /// # #[cfg(unix)]
    /// # std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    /// let secrets = sessile_ajp::Secrets::load(&path)?;
    /// # Ok::<(), sessile_ajp::SecretFileError>(())
    /// ```
    pub fn load(path: &Path) -> Result<Self, SecretFileError> {
        Ok(Self(Arc::new(RwLock::new(read(path)?))))
    }

    /// Reads the file again. When that fails, the secrets stay as they were.
    ///
    /// # Errors
    /// As [`Secrets::load`].
    pub fn reload(&self, path: &Path) -> Result<(), SecretFileError> {
        let read = read(path)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = read;
        Ok(())
    }

    /// Whether `shown` is one of them, in a time that does not depend on how much of it is right.
    pub(crate) fn accept(&self, shown: &str) -> bool {
        if shown.len() > LONGEST {
            return false;
        }
        let shown = blake3::hash(shown.as_bytes());
        let accepted = self.0.read().unwrap_or_else(PoisonError::into_inner);
        // The comparison of two hashes takes constant time; each is compared.
        accepted.iter().fold(false, |found, digest| found | (*digest == shown))
    }
}

/// Never shows a secret, nor a digest of one.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(…)")
    }
}

fn read(path: &Path) -> Result<Vec<blake3::Hash>, SecretFileError> {
    let unreadable = |source| SecretFileError::Unreadable { path: path.to_owned(), source };
    let unusable = |problem| SecretFileError::Unusable { path: path.to_owned(), problem };
    let about = fs::metadata(path).map_err(unreadable)?;
    if about.len() > MAX_FILE_BYTES {
        return Err(unusable(format!("it holds more than {MAX_FILE_BYTES} bytes")));
    }
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&about.permissions()) & 0o777;
        if mode & 0o077 != 0 {
            return Err(SecretFileError::Exposed { path: path.to_owned(), mode });
        }
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    digests(&text).map_err(unusable)
}

fn digests(text: &str) -> Result<Vec<blake3::Hash>, String> {
    let secrets: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if secrets.is_empty() || secrets.len() > MAX_SECRETS {
        return Err(format!(
            "it holds {} secrets; it needs one, or two while one replaces the other",
            secrets.len()
        ));
    }
    let is_good = |secret: &&str| {
        (SHORTEST..=LONGEST).contains(&secret.len()) && secret.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if !secrets.iter().all(is_good) {
        return Err(format!(
            "a secret is a line of {SHORTEST} to {LONGEST} printable ASCII characters; \
             make one with: sessile secret new PATH"
        ));
    }
    Ok(secrets.into_iter().map(|secret| blake3::hash(secret.as_bytes())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_or_two_secrets_are_accepted_and_nothing_else() {
        let secrets = Secrets(Arc::new(RwLock::new(
            digests("correct-horse-battery\n\nstaple-and-more-of-it\n").unwrap(),
        )));
        assert!(secrets.accept("correct-horse-battery") && secrets.accept("staple-and-more-of-it"));
        for wrong in
            ["", "correct-horse-batter", "correct-horse-battery ", "Correct-horse-battery", &"x".repeat(2000)]
        {
            assert!(!secrets.accept(wrong), "{wrong}");
        }
        assert_eq!(format!("{secrets:?}"), "Secrets(…)");
    }

    #[test]
    fn what_can_be_guessed_or_written_wrong_is_refused() {
        for wrong in
            ["", "\n \n", "changeit", "with a space in the middle", "a\nb\nc", "0123456789abcdeü0123"]
        {
            assert!(digests(wrong).is_err(), "{wrong}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_remedy() {
        use std::os::unix::fs::PermissionsExt as _;
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("ajp.secret");
        assert!(matches!(Secrets::load(&path), Err(SecretFileError::Unreadable { .. })));
        fs::write(&path, "correct-horse-battery").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let error = Secrets::load(&path).unwrap_err().to_string();
        assert!(error.contains("mode 644") && error.contains("chmod 600"), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let secrets = Secrets::load(&path).unwrap();
        assert!(secrets.accept("correct-horse-battery"));
        fs::write(&path, "short").unwrap();
        assert!(secrets.reload(&path).is_err() && secrets.accept("correct-horse-battery"));
        fs::write(&path, "another-secret-of-them").unwrap();
        secrets.reload(&path).unwrap();
        assert!(secrets.accept("another-secret-of-them") && !secrets.accept("correct-horse-battery"));
    }
}
