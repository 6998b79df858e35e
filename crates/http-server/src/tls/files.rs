//! Certificates and keys from PEM files, as ACME clients keep them.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Most bytes of one file.
const FILE_BOUND: u64 = 1 << 20;

/// A file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct TlsError {
    /// The key of the configuration, as `certificates`.
    pub key: &'static str,
    /// The file.
    pub path: PathBuf,
    /// The problem, and the remedy.
    pub problem: String,
}

/// Reads files and remembers what was in them.
#[derive(Debug, Default)]
pub(super) struct Reader {
    seen: DefaultHasher,
}

impl Reader {
    /// A number that differs when any file that was read differs.
    pub(super) fn fingerprint(&self) -> u64 {
        self.seen.finish()
    }

    fn read(&mut self, key: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
        let failed = |problem: String| TlsError { key, path: path.to_owned(), problem };
        let metadata = std::fs::metadata(path);
        if metadata.is_ok_and(|metadata| metadata.len() > FILE_BOUND) {
            return Err(failed("it is larger than 1 MiB: is this a PEM file?".to_owned()));
        }
        let bytes = std::fs::read(path).map_err(|error| failed(remedy(&error)))?;
        bytes.hash(&mut self.seen);
        Ok(bytes)
    }

    /// The certificates of a file, at least one.
    pub(super) fn certificates(
        &mut self,
        key: &'static str,
        path: &Path,
    ) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let bytes = self.read(key, path)?;
        let failed = |problem: String| TlsError { key, path: path.to_owned(), problem };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
        let chain = chain.map_err(|error| failed(format!("it is not PEM: {error}")))?;
        if chain.is_empty() {
            return Err(failed("it has no certificate: write the file with `BEGIN CERTIFICATE`".to_owned()));
        }
        Ok(chain)
    }

    /// The private key of a file.
    fn private_key(&mut self, key: &'static str, path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
        let bytes = self.read(key, path)?;
        PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| {
            let problem =
                format!("it has no usable private key ({error}): write the file with `BEGIN PRIVATE KEY`");
            TlsError { key, path: path.to_owned(), problem }
        })
    }

    /// An entry of `certificates` with its key.
    pub(super) fn certified_key(
        &mut self,
        provider: &CryptoProvider,
        entry: &Path,
        key_file: Option<&Path>,
    ) -> Result<CertifiedKey, TlsError> {
        let chain_file = if entry.is_dir() { entry.join("fullchain.pem") } else { entry.to_owned() };
        let chain = self.certificates("certificates", &chain_file)?;
        let (key, key_file) = match key_file {
            Some(file) => ("keys", file.to_owned()),
            None => ("certificates", find_key(&chain_file)),
        };
        let private = self.private_key(key, &key_file)?;
        let failed = |problem: String| TlsError { key, path: key_file.clone(), problem };
        let signing = provider.key_provider.load_private_key(private);
        let signing = signing.map_err(|error| failed(format!("this key cannot be used: {error}")))?;
        let certified = CertifiedKey::new(chain, signing);
        certified.keys_match().map_err(|error| {
            failed(format!(
                "it is not the key of {} ({error}): name the key that the certificate was made for",
                chain_file.display()
            ))
        })?;
        if certified.key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA1]).is_some() {
            return Err(failed("this key signs with SHA-1 only: make a new one".to_owned()));
        }
        Ok(certified)
    }

    /// The authorities of a file.
    pub(super) fn authorities(
        &mut self,
        key: &'static str,
        path: &Path,
    ) -> Result<Arc<RootCertStore>, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in self.certificates(key, path)? {
            roots.add(certificate).map_err(|error| {
                let problem = format!("a certificate in it is no authority: {error}");
                TlsError { key, path: path.to_owned(), problem }
            })?;
        }
        Ok(Arc::new(roots))
    }
}

/// Where the key of a chain is when nobody says: in the file itself, or beside it under a usual name.
fn find_key(chain_file: &Path) -> PathBuf {
    let has_key = |path: &PathBuf| PrivateKeyDer::from_pem_file(path).is_ok();
    let mut appended = chain_file.as_os_str().to_owned();
    appended.push(".key");
    let beside = chain_file.with_file_name("privkey.pem");
    let candidates =
        [chain_file.to_owned(), chain_file.with_extension("key"), appended.into(), beside.clone()];
    candidates.into_iter().find(has_key).unwrap_or(beside)
}

/// The remedy for a file that cannot be read.
fn remedy(error: &std::io::Error) -> String {
    use std::io::ErrorKind::{NotFound, PermissionDenied};
    let remedy = match error.kind() {
        NotFound => "write the path of a PEM file, or of a directory with fullchain.pem and privkey.pem",
        PermissionDenied => "let the user who runs this program read it",
        _ => "make it readable",
    };
    format!("{error}; {remedy}")
}
