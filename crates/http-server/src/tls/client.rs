//! TLS towards nodes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::files::{Reader, TlsError};
use crate::Transport;

/// `[balance.node_tls]`: how nodes are spoken to in TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BackendTls {
    /// The authorities that sign the certificates of the nodes, in PEM.
    pub ca: PathBuf,
    /// The certificate that is shown to nodes (mutual TLS): a file, or a directory as in `certificates` of
    /// `[balance.tls]`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// The key of `certificate`. Default: in the same file, or beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// The name that the certificates of all nodes have. Default: the host of each node's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl BackendTls {
    /// Makes its paths relative to a directory.
    pub fn resolve(&mut self, directory: &Path) {
        let optional = [&mut self.certificate, &mut self.key].into_iter().flatten();
        optional.chain([&mut self.ca]).for_each(|path| *path = directory.join(&*path));
    }
}

/// The TLS client that connects to nodes.
#[derive(Debug)]
pub struct TlsClient {
    config: BackendTls,
    current: Mutex<(Arc<ClientConfig>, u64)>,
}

impl TlsClient {
    /// Reads the files.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn load(config: BackendTls) -> Result<Self, TlsError> {
        let current = Mutex::new(build(&config)?);
        Ok(Self { config, current })
    }

    /// Reads the files again; answers whether they had changed. A file that cannot be used changes nothing.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub fn reload(&self) -> Result<bool, TlsError> {
        let read = build(&self.config)?;
        let mut current = self.current.lock();
        let is_new = current.1 != read.1;
        if is_new {
            *current = read;
        }
        Ok(is_new)
    }

    /// Speaks TLS with the node at `host:port`.
    ///
    /// # Errors
    /// When its certificate is not accepted, it does not accept ours, or the connection breaks.
    pub async fn connect(&self, tcp: TcpStream, address: &str) -> io::Result<Transport> {
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let name = self.config.name.as_deref().unwrap_or(host.trim_matches(['[', ']']));
        let name = ServerName::try_from(name.to_owned())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, format!("{name}: {error}")))?;
        let config = Arc::clone(&self.current.lock().0);
        TlsConnector::from(config).connect(name, tcp).await.map(|tls| Transport::TlsClient(Box::new(tls)))
    }
}

fn build(config: &BackendTls) -> Result<(Arc<ClientConfig>, u64), TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut reader = Reader::default();
    let failed =
        |error: rustls::Error| TlsError { key: "ca", path: config.ca.clone(), problem: error.to_string() };
    let roots = reader.authorities("ca", &config.ca)?;
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_root_certificates(roots);
    let client = match &config.certificate {
        Some(certificate) => {
            let certified = reader.certified_key(&provider, certificate, config.key.as_deref())?;
            builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)))
        }
        None => builder.with_no_client_auth(),
    };
    Ok((Arc::new(client), reader.fingerprint()))
}
