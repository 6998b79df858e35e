//! Certificates made for a test, and clients that trust them alone.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use sessile_balancer::BalancerConfig;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A directory with certificates, as an ACME client keeps them.
pub(crate) struct Certificates(TempDir);

impl Certificates {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A certificate for these names, in a directory of this name; one that was there is renewed.
    pub(crate) fn issue(&self, directory: &str, names: &[&str]) -> PathBuf {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
        let place = self.0.path().join(directory);
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join("fullchain.pem"), pem("CERTIFICATE", certificate.der())).unwrap();
        std::fs::write(place.join("privkey.pem"), pem("PRIVATE KEY", &key.serialize_der())).unwrap();
        place
    }

    /// Makes the balancer speak TLS with a certificate for `shop.example`.
    pub(crate) fn serve(&self, config: &mut BalancerConfig) {
        config.balance.tls.certificates = vec![self.issue("shop", &["shop.example"])];
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

/// A client's TLS that trusts the certificate in a directory alone, and shows another one if it is asked.
pub(crate) fn client(trusted: &Path, own: Option<&Path>, alpn: &[&str]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(PemObject::from_pem_file(trusted.join("fullchain.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let chain = vec![PemObject::from_pem_file(own.join("fullchain.pem")).unwrap()];
            let key = PemObject::from_pem_file(own.join("privkey.pem")).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    };
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// Connects and shakes hands.
pub(crate) async fn connect(
    at: SocketAddr,
    name: &str,
    client: Arc<ClientConfig>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(at).await?;
    TlsConnector::from(client).connect(ServerName::try_from(name.to_owned()).unwrap(), tcp).await
}
