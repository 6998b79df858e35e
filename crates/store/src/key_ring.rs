//! Encryption keys for content, and their file.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};

/// The length of a key's id.
pub(crate) const KEY_ID: usize = 8;
const KEY_BYTES: usize = 32;
/// The most keys in one file.
const KEYS: usize = 16;
/// The longest key file in bytes.
const FILE_LIMIT: u64 = 4096;

/// The keys of an encrypted store: the first encrypts, all decrypt.
///
/// The file holds one key a line, 32 bytes in base64 (`openssl rand -base64 32` makes one). It is separate
/// from the cluster's secret, which may therefore be changed without making stored sessions unreadable.
#[derive(Clone)]
pub struct KeyRing {
    keys: Vec<([u8; KEY_ID], XChaCha20Poly1305)>,
}

/// Errors of a key file.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read or written.
    #[error("key file {path}: {source}")]
    File {
        /// Which file.
        path: String,
        /// The system's reason.
        source: io::Error,
    },
    /// Other users can read the file.
    #[error("key file {path} can be read by others (mode {mode:03o}); run: chmod 600 {path}")]
    Exposed {
        /// Which file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// A line is not a key.
    #[error("{place}, line {line}: not a key; a line is 32 bytes in base64 (`openssl rand -base64 32`)")]
    Line {
        /// The file.
        place: String,
        /// Which line, from 1.
        line: usize,
    },
    /// There are no keys, or more than 16.
    #[error("{place} holds {found} keys; it needs 1 to 16, the one to encrypt with first")]
    Count {
        /// The file.
        place: String,
        /// How many there are.
        found: usize,
    },
}

impl KeyRing {
    /// Reads the file.
    ///
    /// # Errors
    /// The file cannot be read, other users can read it, or a line is not a key: each error names the remedy.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        let failure = |source| KeyFileError::File { path: path.display().to_string(), source };
        let file = File::open(path).map_err(failure)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = file.metadata().map_err(failure)?.permissions().mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(KeyFileError::Exposed { path: path.display().to_string(), mode });
            }
        }
        let mut text = String::new();
        file.take(FILE_LIMIT).read_to_string(&mut text).map_err(failure)?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Creates a file with one new key, readable by its owner only. An existing file is never overwritten.
    ///
    /// # Errors
    /// The file exists already, or cannot be written.
    pub fn create(path: &Path) -> Result<Self, KeyFileError> {
        let failure = |source| KeyFileError::File { path: path.display().to_string(), source };
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key).map_err(|error| failure(io::Error::other(error.to_string())))?;
        let text = format!("{}\n", BASE64_STANDARD.encode(key));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(failure)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failure)?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Reads the lines; `place` names them in errors.
    ///
    /// # Errors
    /// A line is no key, or there are none or too many.
    pub fn parse(text: &str, place: &str) -> Result<Self, KeyFileError> {
        let mut keys = Vec::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let bytes = BASE64_STANDARD.decode(line.trim()).ok();
            let key = bytes.and_then(|bytes| <[u8; KEY_BYTES]>::try_from(bytes).ok());
            let key = key.ok_or_else(|| KeyFileError::Line { place: place.into(), line: number + 1 })?;
            keys.push(derive(&key));
        }
        if keys.is_empty() || keys.len() > KEYS {
            return Err(KeyFileError::Count { place: place.into(), found: keys.len() });
        }
        Ok(Self { keys })
    }

    pub(crate) fn first(&self) -> &([u8; KEY_ID], XChaCha20Poly1305) {
        self.keys.first().expect("a ring without keys is refused when it is read")
    }

    pub(crate) fn get(&self, id: &[u8]) -> Option<&XChaCha20Poly1305> {
        self.keys.iter().find(|(known, _)| known == id).map(|(_, cipher)| cipher)
    }
}

fn derive(key: &[u8; KEY_BYTES]) -> ([u8; KEY_ID], XChaCha20Poly1305) {
    let id = blake3::derive_key("sessile store 2026 id of a key", key);
    let sealing = blake3::derive_key("sessile store 2026 content", key);
    let id = *id.first_chunk().expect("a hash is longer than an id");
    (id, XChaCha20Poly1305::new(&sealing.into()))
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing({} keys)", self.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_created_file_is_private_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.key");
        let created = KeyRing::create(&path).unwrap();
        assert_eq!(KeyRing::load(&path).unwrap().first().0, created.first().0);
        assert!(matches!(KeyRing::create(&path), Err(KeyFileError::File { .. })));
        #[cfg(unix)]
        {
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
            let error = KeyRing::load(&path).unwrap_err().to_string();
            assert!(error.contains("chmod 600"), "{error}");
        }
    }

    #[test]
    fn an_invalid_line_is_named() {
        let error = KeyRing::parse("\nc2hvcnQ=\n", "store.key").unwrap_err().to_string();
        assert!(error.starts_with("store.key, line 2: not a key"), "{error}");
        assert!(KeyRing::parse("\n", "store.key").unwrap_err().to_string().contains("holds 0 keys"));
    }
}
