//! TLS towards clients, whose certificates can be renewed while connections go on.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use tokio_rustls::TlsAcceptor;

use super::files::{Reader, TlsError};
use super::names::{CertificatesByName, expiry_warning};
use crate::TlsConfig;

/// The certificates in force. New connections get the newest; open ones keep theirs.
#[derive(Debug)]
pub struct TlsServer {
    config: TlsConfig,
    alpn: Vec<Vec<u8>>,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    server: Arc<ServerConfig>,
    fingerprint: u64,
    /// All names of the certificates.
    names: String,
    /// Warnings about the certificates, for operators.
    warnings: Vec<(PathBuf, String)>,
}

impl Current {
    fn announce(&self) {
        tracing::info!(names = self.names, "certificates read");
        for (certificate, warning) in &self.warnings {
            tracing::warn!(certificate = %certificate.display(), "{warning}");
        }
    }
}

impl TlsServer {
    /// Reads the files. `is_http` offers HTTP/2 and HTTP/1.1; other protocols are not negotiated.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn load(config: TlsConfig, is_http: bool) -> Result<Self, TlsError> {
        let alpn = if is_http { vec![b"h2".to_vec(), b"http/1.1".to_vec()] } else { Vec::new() };
        let current = build(&config, &alpn)?;
        current.announce();
        Ok(Self { config, alpn, current: Mutex::new(current) })
    }

    /// Reads the files again; answers whether they had changed. A file that cannot be used changes nothing.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let read = build(&self.config, &self.alpn)?;
        let mut current = self.current.lock();
        let is_new = current.fingerprint != read.fingerprint;
        if is_new {
            read.announce();
            *current = read;
        }
        Ok(is_new)
    }

    /// The HSTS header of responses on this port.
    pub(crate) fn hsts(&self) -> Option<http::HeaderValue> {
        self.config.hsts.as_deref().and_then(|hsts| http::HeaderValue::from_str(hsts).ok())
    }

    /// The acceptor for the next handshakes.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current.lock().server))
    }
}

fn failed(config: &TlsConfig, error: &rustls::Error) -> TlsError {
    let path = config.certificates.first().cloned().unwrap_or_default();
    TlsError { key: "certificates", path, problem: error.to_string() }
}

fn build(config: &TlsConfig, alpn: &[Vec<u8>]) -> Result<Current, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut reader = Reader::default();
    let (mut certificates, mut warnings) = (Vec::new(), Vec::new());
    for (index, entry) in config.certificates.iter().enumerate() {
        let key = config.keys.get(index).map(PathBuf::as_path);
        let certified = reader.certified_key(&provider, entry, key)?;
        if let Some(warning) = certified.cert.first().and_then(expiry_warning) {
            warnings.push((entry.clone(), warning));
        }
        certificates.push(certified);
    }
    let authorities =
        config.client_ca.as_deref().map(|path| reader.authorities("client_ca", path)).transpose()?;
    let none = || failed(config, &rustls::Error::NoCertificatesPresented);
    let by_name = CertificatesByName::new(certificates).ok_or_else(none)?;
    let names = by_name.names().join(" ");
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(config, &error))?;
    let builder = match authorities {
        Some(authorities) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(authorities, provider).build();
            let verifier = verifier.map_err(|error| TlsError {
                key: "client_ca",
                path: config.client_ca.clone().unwrap_or_default(),
                problem: error.to_string(),
            })?;
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    let mut server = builder.with_cert_resolver(Arc::new(by_name));
    server.alpn_protocols = alpn.to_vec();
    // New files, new tickets: who resumes was admitted by the files that are in force.
    server.ticketer = rustls::crypto::ring::Ticketer::new().map_err(|error| failed(config, &error))?;
    Ok(Current { server: Arc::new(server), fingerprint: reader.fingerprint(), names, warnings })
}
