//! A stream under TLS 1.3 with the cipher that links between nodes take.
//!
//! The side that measures makes itself a certificate, and the other process gets it when it starts: nobody else can be
//! taken for it.

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

/// What the certificate is for.
const NAME: &str = "floor.sessile";

/// What proves the side that measures.
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

    /// What the other process has to know.
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

/// The other side's half: it believes this certificate only.
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

/// A connection that is read in large pieces, as links are.
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
    fn what_is_written_arrives_and_a_stranger_is_refused() {
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
                // A stranger ends the handshake from its side: what is written then may or may not leave.
                let _ = stream.write_all(&[7; 100_000]);
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
            let heard = reader.join().expect("no panic");
            assert_eq!(heard.ok(), known.then(|| vec![7; 100_000]));
        }
    }
}
