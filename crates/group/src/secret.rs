//! The cluster's secrets and the keys that come from them.
//!
//! Must not know what a key is used for: each purpose names itself. The file they live in is
//! [`secret_file`]'s.
//!
//! [`secret_file`]: crate::secret_file

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::{Zeroize, Zeroizing};

/// Bytes of one secret.
pub const SECRET_BYTES: usize = 32;
/// Most secrets accepted at once: the active one, and those of a rotation under way.
pub(crate) const SECRETS_MAX: usize = 4;

/// Why secrets cannot be used.
#[derive(thiserror::Error)]
pub enum SecretError {
    /// The file could not be read or written.
    #[error("the secret file {path}: {source}")]
    File {
        /// Which file.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Users other than the owner may read the file.
    #[error("the secret file {path} can be read by others (mode {mode:03o}); run: chmod 600 {path}")]
    Exposed {
        /// Which file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// A line is no secret.
    #[error(
        "the secret file {path}, line {line}: {problem}; a line is {SECRET_BYTES} bytes in base64, as `sessile secret new` or `openssl rand -base64 {SECRET_BYTES}` make them"
    )]
    Line {
        /// Which file.
        path: String,
        /// Which line, from 1.
        line: usize,
        /// What is wrong, without the secret.
        problem: String,
    },
    /// The file holds no secret, or too many.
    #[error(
        "the secret file {path} holds {found} secrets; it needs 1 to {SECRETS_MAX}, the active one first"
    )]
    Number {
        /// Which file.
        path: String,
        /// How many it holds.
        found: usize,
    },
    /// The system gave no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(String),
}

/// As [`Display`](std::fmt::Display): a `main` that returns it shows it so.
impl std::fmt::Debug for SecretError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// One active secret, which seals what this node sends, and all that are accepted from others. Their memory
/// is overwritten when they are dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct ClusterSecrets {
    active: [u8; SECRET_BYTES],
    accepted: Vec<[u8; SECRET_BYTES]>,
}

impl ClusterSecrets {
    /// `active` seals; `accepted` are believed beside it while a rotation is under way.
    #[must_use]
    pub fn new(active: [u8; SECRET_BYTES], accepted: Vec<[u8; SECRET_BYTES]>) -> Self {
        Self { active, accepted }
    }

    /// One new secret from the system's generator.
    ///
    /// # Errors
    /// [`SecretError::Random`] where the system has none.
    pub fn generate() -> Result<Self, SecretError> {
        let mut active = [0; SECRET_BYTES];
        getrandom::fill(&mut active).map_err(|error| SecretError::Random(error.to_string()))?;
        Ok(Self::new(active, Vec::new()))
    }

    /// How many there are, the active one included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.all().count()
    }

    /// The first step of a rotation: one more secret is accepted, a new one, and none is used that was not
    /// before.
    ///
    /// # Errors
    /// [`SecretError::Random`] where the system has no random bytes.
    pub fn with_next(&self) -> Result<Self, SecretError> {
        let next = Self::generate()?.active;
        let accepted = self.all().skip(1).copied().chain([next]).collect();
        Ok(Self::new(self.active, accepted))
    }

    /// The second step: the last secret is the active one, all others are still accepted. Rule 9.4.
    #[must_use]
    pub fn with_last_first(&self) -> Self {
        let mut all: Vec<_> = self.all().copied().collect();
        let active = all.pop().unwrap_or(self.active);
        Self::new(active, all)
    }

    /// The last step: the active secret alone.
    #[must_use]
    pub fn active_alone(&self) -> Self {
        Self::new(self.active, Vec::new())
    }

    /// What names each secret without showing it, the active one first: 8 hexadecimal digits.
    #[must_use]
    pub fn ids(&self) -> Vec<String> {
        let id = |key: [u8; 32]| u32::from_be_bytes([key[0], key[1], key[2], key[3]]);
        let keys = self.derive_all("", "the public id of a secret, version 1");
        keys.into_iter().map(|key| format!("{:08x}", id(key))).collect()
    }

    /// The text of a secret file: one line of base64 for each, the active one first.
    #[must_use]
    pub fn to_text(&self) -> String {
        self.all().map(|secret| STANDARD.encode(secret) + "\n").collect()
    }

    /// Reads the text of the file `path`, which is named in errors only. Rule 9.4.
    pub(crate) fn parse(text: &str, path: &str) -> Result<Self, SecretError> {
        let mut secrets = Vec::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let failure = |problem| SecretError::Line { path: path.to_owned(), line: number + 1, problem };
            secrets.push(parse_line(line.trim()).map_err(failure)?);
        }
        if secrets.is_empty() || secrets.len() > SECRETS_MAX {
            return Err(SecretError::Number { path: path.to_owned(), found: secrets.len() });
        }
        let active = secrets.remove(0);
        Ok(Self::new(active, secrets))
    }

    /// The key for one purpose in the cluster named `cluster`, from the active secret. Other purposes,
    /// clusters and secrets give unrelated keys. Rule 9.1.
    #[must_use]
    pub fn derive_key(&self, cluster: &str, purpose: &str) -> [u8; 32] {
        derive(&self.active, cluster, purpose)
    }

    /// The same from every accepted secret, the active one first: what to try when judging what others made.
    #[must_use]
    pub fn derive_all(&self, cluster: &str, purpose: &str) -> Vec<[u8; 32]> {
        self.all().map(|secret| derive(secret, cluster, purpose)).collect()
    }

    fn all(&self) -> impl Iterator<Item = &[u8; SECRET_BYTES]> {
        std::iter::once(&self.active).chain(self.accepted.iter().filter(|secret| **secret != self.active))
    }
}

impl Drop for ClusterSecrets {
    fn drop(&mut self) {
        self.active.zeroize();
        self.accepted.zeroize();
    }
}

/// Never shows a secret.
impl std::fmt::Debug for ClusterSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ClusterSecrets(1 active, {} accepted)", self.accepted.len())
    }
}

fn parse_line(line: &str) -> Result<[u8; SECRET_BYTES], String> {
    let bytes = Zeroizing::new(STANDARD.decode(line).map_err(|_| "not base64".to_owned())?);
    let length = bytes.len();
    bytes.as_slice().try_into().map_err(|_| format!("{length} bytes instead of {SECRET_BYTES}"))
}

fn derive(secret: &[u8; SECRET_BYTES], cluster: &str, purpose: &str) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key("sessile cluster secret, version 1");
    for part in [&secret[..], cluster.as_bytes(), purpose.as_bytes()] {
        hasher.update(&(part.len() as u64).to_be_bytes()).update(part);
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_active_and_the_text_comes_back() {
        let secrets = ClusterSecrets::new([1; 32], vec![[2; 32]]);
        let read = ClusterSecrets::parse(&format!("\n{}", secrets.to_text()), "f").unwrap();
        assert_eq!(read, secrets);
    }

    #[test]
    fn what_is_no_secret_is_refused_with_its_line() {
        let short = STANDARD.encode([1; 31]);
        let error = ClusterSecrets::parse(&format!("\n{short}\n"), "f").unwrap_err().to_string();
        assert!(error.contains("line 2: 31 bytes"), "{error}");
        assert!(!error.contains(&short), "an error never shows a secret");
        assert!(ClusterSecrets::parse("?", "f").unwrap_err().to_string().contains("not base64"));
        assert!(matches!(ClusterSecrets::parse("\n", "f"), Err(SecretError::Number { found: 0, .. })));
    }

    #[test]
    fn a_rotation_accepts_before_it_uses_and_forgets_last() {
        let old = ClusterSecrets::new([1; 32], vec![]);
        let both = old.with_next().unwrap();
        assert_eq!((both.count(), &both.ids()[0]), (2, &old.ids()[0]));
        let turned = both.with_last_first();
        assert_eq!(turned.ids(), both.ids().into_iter().rev().collect::<Vec<_>>());
        let new = turned.active_alone();
        assert_eq!(new.ids(), turned.ids()[..1]);
        assert_ne!(new.ids(), old.ids());
    }

    #[test]
    fn keys_differ_by_secret_cluster_and_purpose() {
        let (a, b) = (ClusterSecrets::new([1; 32], vec![]), ClusterSecrets::new([2; 32], vec![[1; 32]]));
        let key = a.derive_key("sample", "cookie");
        assert_ne!(key, a.derive_key("sample", "token"));
        assert_ne!(key, a.derive_key("other", "cookie"));
        assert_ne!(key, b.derive_key("sample", "cookie"));
        assert_eq!(key, b.derive_all("sample", "cookie")[1]);
        assert!(!format!("{b:?}").contains('2'));
    }
}
