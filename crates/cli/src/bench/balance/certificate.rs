//! The certificate that all balancers of one run show, and a client that trusts no other.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::CertifiedKey;
use sessile_http_server::Transport;
use sessile_http_server::tls::{BackendTls, TlsClient};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::failure::Failure;

/// Name of the certificate.
const NAME: &str = "bench.sessile";

/// A self-made certificate; its file ends with this.
#[derive(Debug)]
pub(super) struct Certificate {
    client: TlsClient,
    file: PathBuf,
    _place: TempDir,
}

impl Certificate {
    /// Makes one.
    pub(super) fn new() -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::Failed(format!("a certificate: {error}"));
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed([NAME.to_owned()]).map_err(|error| failed(&error))?;
        let place = tempfile::Builder::new().prefix("sessile-bench-").tempdir();
        let place = place.map_err(|error| failed(&error))?;
        let file = place.path().join("bench.pem");
        let text = pem("CERTIFICATE", cert.der()) + &pem("PRIVATE KEY", &signing_key.serialize_der());
        std::fs::write(&file, text).map_err(|error| failed(&error))?;
        let trusting = BackendTls { ca: file.clone(), name: Some(NAME.to_owned()), ..BackendTls::default() };
        let client = TlsClient::load(trusting).map_err(|error| failed(&error))?;
        Ok(Self { client, file, _place: place })
    }

    /// The certificate and its key, in PEM.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Shakes hands with a balancer that shows it.
    pub(super) async fn connect(&self, tcp: TcpStream, at: SocketAddr) -> std::io::Result<Transport> {
        self.client.connect(tcp, &at.to_string()).await
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    // Texts of base64 are ASCII: every cut is between two characters.
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
