//! A stream under TLS 1.3 with the cipher that links between nodes take.
//!
//! The measuring side creates a certificate and passes it to the peer at start, so the peer accepts no other
//! server.

use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rcgen::CertifiedKey;
use rustls::client::Resumption;
use rustls::version::TLS13;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use sessile_group::link_ciphers;

use super::PIECE;

/// Server name of the certificate.
const NAME: &str = "floor.sessile";

/// The identity of the measuring side.
pub(super) struct Keys {
    certificate: CertificateDer<'static>,
    config: Arc<ServerConfig>,
}

impl Keys {
    pub(super) fn new() -> io::Result<Self> {
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed([NAME.to_owned()]).map_err(io::Error::other)?;
        let certificate = cert.der().clone();
        let key = PrivatePkcs8KeyDer::from(signing_key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(link_ciphers()))
            .with_protocol_versions(&[&TLS13])
            .and_then(|builder| {
                builder.with_no_client_auth().with_single_cert(vec![certificate.clone()], key.into())
            })
            .map_err(io::Error::other)?;
        Ok(Self { certificate, config: Arc::new(config) })
    }

    /// The certificate that the peer must trust.
    pub(super) fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The stream, after its handshake.
    pub(super) fn accept(&self, tcp: &TcpStream) -> io::Result<StreamOwned<ServerConnection, Buffered>> {
        let connection = ServerConnection::new(Arc::clone(&self.config)).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, Buffered::new(tcp)?);
        stream.conn.set_buffer_limit(Some(PIECE));
        stream.conn.complete_io(&mut stream.sock)?;
        Ok(stream)
    }
}

/// The peer's side of the handshake: it trusts this certificate only.
pub(super) fn connect(
    tcp: &TcpStream,
    certificate: Vec<u8>,
) -> io::Result<StreamOwned<ClientConnection, Buffered>> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.into()).map_err(io::Error::other)?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(link_ciphers()))
        .with_protocol_versions(&[&TLS13])
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    let name = ServerName::try_from(NAME).map_err(io::Error::other)?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    Ok(StreamOwned::new(connection, Buffered::new(tcp)?))
}

/// A connection with a large read buffer, like links between nodes.
pub(super) struct Buffered {
    incoming: BufReader<TcpStream>,
    outgoing: TcpStream,
}

impl Buffered {
    fn new(tcp: &TcpStream) -> io::Result<Self> {
        Ok(Self { incoming: BufReader::with_capacity(PIECE, tcp.try_clone()?), outgoing: tcp.try_clone()? })
    }
}

impl Read for Buffered {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.incoming.read(into)
    }
}

impl Write for Buffered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.write(bytes)
    }

    fn write_vectored(&mut self, pieces: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.outgoing.write_vectored(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.outgoing.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

    use super::*;

    #[test]
    fn a_trusting_peer_receives_the_stream_and_another_one_fails() {
        let keys = Keys::new().expect("keys");
        for trusted in [keys.certificate().to_vec(), Keys::new().expect("keys").certificate().to_vec()] {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
            let at = listener.local_addr().expect("an address");
            let known = trusted == keys.certificate();
            let reader = thread::spawn(move || {
                let tcp = TcpStream::connect(at)?;
                let mut heard = Vec::new();
                connect(&tcp, trusted)?.read_to_end(&mut heard).map(|_| heard)
            });
            let (tcp, _) = listener.accept().expect("a connection");
            if let Ok(mut stream) = keys.accept(&tcp) {
                // An untrusting client aborts the handshake: the write may or may not fail.
                let _ = stream.write_all(&[7; 100_000]);
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
            let heard = reader.join().expect("no panic");
            assert_eq!(heard.ok(), known.then(|| vec![7; 100_000]));
        }
    }
}
