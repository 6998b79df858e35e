//! Mutual TLS from one shared secret, without any clock.
//!
//! From the secret every node derives the same certificate authority and issues itself a certificate that
//! names its process. Validity in time is judged at one fixed moment, so a wrong wall clock changes nothing.
//! The secret authenticates the cluster, not a node: whoever holds it can be any member.

use std::sync::{Arc, OnceLock};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ED25519};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{NoServerSessionStorage, ParsedCertificate, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;
use rustls::{
    CipherSuite, ClientConfig, DigitallySignedStruct, RootCertStore, ServerConfig, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use tokio::io::BufReader;
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::error::GroupError;
use crate::identity::Identity;
use crate::secret::ClusterSecrets;
use crate::wire::{SOCKET_READ, Wire};

/// The name that every member's certificate carries: who dials does not know yet whom it will meet.
const ANY_MEMBER: &str = "member.sessile";
/// The moment at which certificates are judged; they are valid from 1975 to 4096.
const JUDGED_AT: UnixTime = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_100_000_000));
/// Read buffer of the dialing side, which receives nothing after the handshake.
const ANSWER_READ: usize = 4 << 10;
/// What precedes the 32 bytes of an Ed25519 seed in PKCS#8 (RFC 8410, section 7).
const ED25519_PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// How this node proves that it is of the cluster, and judges the proof of others.
pub(crate) struct Trust {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

impl Trust {
    /// Makes the authorities of all accepted secrets and this node's certificate under the active one.
    pub(crate) fn new(secrets: &ClusterSecrets, identity: &Identity) -> Result<Self, GroupError> {
        Self::build(secrets, identity).map_err(GroupError::Certificate)
    }

    /// Rule 9.2.
    fn build(secrets: &ClusterSecrets, identity: &Identity) -> Result<Self, String> {
        let provider = Arc::new(link_ciphers());
        let mut roots = RootCertStore::empty();
        let seeds = secrets.derive_all(&identity.cluster, "certificate authority");
        for seed in &seeds {
            let (params, key) = authority(seed)?;
            let certificate = params.self_signed(&key).map_err(text)?;
            roots.add(certificate.der().clone()).map_err(text)?;
        }
        let roots = Arc::new(roots);
        let (params, key) = authority(&seeds[0])?;
        let secret = secrets.ids().swap_remove(0);
        let (certificate, leaf_key) = leaf(&Issuer::new(params, key), identity, &secret)?;

        let mut client = ClientConfig::builder_with_details(provider.clone(), Arc::new(NoClock))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(text)?
            .with_root_certificates(roots.clone())
            .with_client_auth_cert(vec![certificate.clone()], leaf_key.clone_key())
            .map_err(text)?;
        client.enable_sni = false;
        client.resumption = Resumption::disabled();

        let verifier =
            WebPkiClientVerifier::builder_with_provider(roots, provider.clone()).build().map_err(text)?;
        let mut server = ServerConfig::builder_with_details(provider, Arc::new(NoClock))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(text)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificate], leaf_key)
            .map_err(text)?;
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        Ok(Self { client: Arc::new(client), server: Arc::new(server) })
    }

    /// The dialing side's half of the handshake.
    pub(crate) async fn connect(&self, stream: TcpStream) -> std::io::Result<Wire> {
        let name = ServerName::try_from(ANY_MEMBER).expect("a valid DNS name");
        let buffered = BufReader::with_capacity(ANSWER_READ, stream);
        let stream = TlsConnector::from(self.client.clone()).connect(name, buffered).await?;
        Ok(Wire::Tls(Box::new(stream.into())))
    }

    /// The accepting side's half of the handshake.
    pub(crate) async fn accept(&self, stream: TcpStream) -> std::io::Result<Wire> {
        let buffered = BufReader::with_capacity(SOCKET_READ, stream);
        let stream = TlsAcceptor::from(self.server.clone()).accept(buffered).await?;
        Ok(Wire::Tls(Box::new(stream.into())))
    }
}

/// Never shows a key.
impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Trust")
    }
}

/// Whether the certificate on `wire` was issued to the process `incarnation` of the node `name`. A plain wire
/// has none, and proves nothing. Rule 9.2.
pub(crate) fn names_process(wire: &Wire, name: &str, incarnation: u32) -> bool {
    let Wire::Tls(stream) = wire else { return true };
    let (_, tls) = stream.get_ref();
    let Some(certificate) = tls.peer_certificates().and_then(<[_]>::first) else { return false };
    let (Ok(parsed), Ok(process)) =
        (ParsedCertificate::try_from(certificate), ServerName::try_from(process_name(name, incarnation)))
    else {
        return false;
    };
    rustls::client::verify_server_name(&parsed, &process).is_ok()
}

/// A process as a DNS name: a digest, because names of nodes are case sensitive and those of hosts are not.
fn process_name(name: &str, incarnation: u32) -> String {
    let digest = blake3::Hasher::new_derive_key("sessile process name in a certificate, version 1")
        .update(&incarnation.to_be_bytes())
        .update(name.as_bytes())
        .finalize();
    format!("p{}.sessile", &digest.to_hex()[..48])
}

/// The public id of a secret as a DNS name. It proves nothing; who is refused learns from it whether the
/// secrets differ.
pub(crate) fn secret_name(id: &str) -> String {
    format!("s{id}.sessile")
}

/// The authority that belongs to `seed`; every node derives the same key.
fn authority(seed: &[u8; 32]) -> Result<(CertificateParams, KeyPair), String> {
    let pkcs8 = [&ED25519_PKCS8[..], seed].concat();
    let key = KeyPair::from_pkcs8_der_and_sign_algo(&PrivatePkcs8KeyDer::from(pkcs8), &PKCS_ED25519)
        .map_err(text)?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.distinguished_name.push(DnType::CommonName, "sessile cluster");
    Ok((params, key))
}

fn leaf(
    issuer: &Issuer<'_, KeyPair>,
    identity: &Identity,
    secret: &str,
) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), String> {
    let process = process_name(&identity.name, identity.incarnation);
    let names = vec![ANY_MEMBER.to_owned(), process, secret_name(secret)];
    let key = KeyPair::generate_for(&PKCS_ED25519).map_err(text)?;
    let certificate = CertificateParams::new(names).map_err(text)?.signed_by(&key, issuer).map_err(text)?;
    Ok((certificate.der().clone(), PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
}

/// What links are encrypted with, for who measures beside them. AES-128 costs least where the processor has
/// instructions for it, ChaCha20 elsewhere. The dialing side sends almost everything, and its order decides.
#[must_use]
pub fn link_ciphers() -> CryptoProvider {
    let mut provider = ring::default_provider();
    let order = if has_aes() {
        [CipherSuite::TLS13_AES_128_GCM_SHA256, CipherSuite::TLS13_CHACHA20_POLY1305_SHA256]
    } else {
        [CipherSuite::TLS13_CHACHA20_POLY1305_SHA256, CipherSuite::TLS13_AES_128_GCM_SHA256]
    };
    provider.cipher_suites.retain(|suite| order.contains(&suite.suite()));
    provider.cipher_suites.sort_by_key(|suite| suite.suite() != order[0]);
    provider
}

#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn has_aes() -> bool {
    std::arch::is_x86_feature_detected!("aes")
}

#[cfg(target_arch = "aarch64")]
fn has_aes() -> bool {
    std::arch::is_aarch64_feature_detected!("aes")
}

/// Other processors: assume none, ChaCha20 is good everywhere.
#[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
fn has_aes() -> bool {
    false
}

/// The time that is always the same.
#[derive(Debug)]
struct NoClock;

impl TimeProvider for NoClock {
    /// Rule 9.3.
    fn current_time(&self) -> Option<UnixTime> {
        Some(JUDGED_AT)
    }
}

/// The certificate that a server shows, whoever it is. Nothing is sent to it.
pub(crate) async fn shown_certificate(stream: TcpStream) -> Option<CertificateDer<'static>> {
    let provider = Arc::new(link_ciphers());
    let seen = Arc::new(Seen { provider: provider.clone(), certificate: OnceLock::new() });
    let mut client = ClientConfig::builder_with_details(provider, Arc::new(NoClock))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .ok()?
        .dangerous()
        .with_custom_certificate_verifier(seen.clone())
        .with_no_client_auth();
    client.enable_sni = false;
    let name = ServerName::try_from(ANY_MEMBER).expect("a valid DNS name");
    // It always fails: no certificate is good enough here.
    let _ = TlsConnector::from(Arc::new(client)).connect(name, stream).await;
    seen.certificate.get().cloned()
}

/// Whether a certificate is one of a member, of whatever cluster.
pub(crate) fn is_of_a_member(certificate: &CertificateDer<'_>) -> bool {
    names(certificate, ANY_MEMBER.to_owned())
}

/// Whether a certificate says that it was made from the secret with this public id.
pub(crate) fn is_made_from(certificate: &CertificateDer<'_>, id: &str) -> bool {
    names(certificate, secret_name(id))
}

fn names(certificate: &CertificateDer<'_>, name: String) -> bool {
    match (ParsedCertificate::try_from(certificate), ServerName::try_from(name)) {
        (Ok(parsed), Ok(name)) => rustls::client::verify_server_name(&parsed, &name).is_ok(),
        _ => false,
    }
}

/// Keeps the certificate that it is shown, and believes none.
#[derive(Debug)]
struct Seen {
    provider: Arc<CryptoProvider>,
    certificate: OnceLock<CertificateDer<'static>>,
}

impl ServerCertVerifier for Seen {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let _first = self.certificate.set(certificate.clone().into_owned());
        Err(rustls::Error::General("only looked at".to_owned()))
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("only TLS 1.3 is spoken".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("only looked at".to_owned()))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
