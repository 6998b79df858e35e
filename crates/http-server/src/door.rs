//! How a connection comes in: it is admitted, says whose it is, speaks TLS, and then has its requests served.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

use crate::http_connection::{self, HttpSettings};
use crate::tls::TlsServer;
use crate::{
    Admission, Admitted, ClientInfo, ConnectionCounts, ConnectionTable, Limits, Network, RequestBody,
    Transport, proxy_protocol,
};

/// Pause after a connection that could not be accepted, for example for want of files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// At most one warning about full tables in this time.
const WARN_EVERY: Duration = Duration::from_secs(10);
/// The response to a client that speaks plain HTTP to a port for TLS.
const SPEAKS_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain\r\n\
content-length: 40\r\n\r\nthis port speaks HTTPS: write https://\r\n";

/// One port's rules for those who come.
#[derive(Debug)]
pub struct Door {
    settings: Arc<HttpSettings>,
    trusted: Vec<Network>,
    proxy_protocol: bool,
    tls: Option<Arc<TlsServer>>,
    table: ConnectionTable,
    warned: parking_lot::Mutex<Option<Instant>>,
}

/// A connection that came in.
#[derive(Debug)]
pub struct Entered {
    /// Its bytes.
    pub stream: Transport,
    /// The other end of the connection.
    pub client: ClientInfo,
    /// It agreed on HTTP/2.
    pub is_http2: bool,
}

/// Why a connection did not come in.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// It did not begin in time.
    #[error("no {0} in time")]
    Late(&'static str),
    /// Its PROXY header makes no sense.
    #[error(transparent)]
    Proxy(io::Error),
    /// Its handshake failed.
    #[error("TLS: {0}")]
    Tls(io::Error),
}

impl Door {
    /// A door with these limits. `tunnel_idle` bounds the silence of connections that switch protocols;
    /// `proxy_protocol` demands its header of every trusted peer. What becomes of connections is counted in
    /// `counts`.
    #[must_use]
    pub fn new(
        limits: Limits,
        tunnel_idle: Duration,
        trusted: Vec<Network>,
        proxy_protocol: bool,
        tls: Option<Arc<TlsServer>>,
        counts: Arc<ConnectionCounts>,
    ) -> Self {
        let table = ConnectionTable::new(&limits, trusted.clone(), Arc::clone(&counts));
        let hsts = tls.as_ref().and_then(|tls| tls.hsts());
        let settings = Arc::new(HttpSettings { limits, tunnel_idle, hsts, counts });
        Self { settings, trusted, proxy_protocol, tls, table, warned: parking_lot::Mutex::new(None) }
    }

    /// The limits that hold here.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.settings.limits
    }

    /// The certificates, where the door speaks TLS.
    #[must_use]
    pub fn tls(&self) -> Option<&Arc<TlsServer>> {
        self.tls.as_ref()
    }

    /// The counts of its connections.
    #[must_use]
    pub fn counts(&self) -> &Arc<ConnectionCounts> {
        &self.settings.counts
    }

    /// The next connection that is admitted, and the door by which it came in: the one that is `current` when
    /// it comes.
    ///
    /// One that waits for room is closed when the future is dropped.
    pub async fn next(
        current: impl Fn() -> Arc<Self>,
        listener: &TcpListener,
    ) -> (Arc<Self>, TcpStream, SocketAddr, Admitted) {
        loop {
            let (tcp, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(cause) => {
                    tracing::warn!(%cause, "a connection could not be accepted");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let door = current();
            if let Some(admitted) = door.admit(peer).await {
                return (door, tcp, peer, admitted);
            }
        }
    }

    /// Waits for room where there is none; nothing when the source has too many.
    async fn admit(&self, peer: SocketAddr) -> Option<Admitted> {
        loop {
            match self.table.admit(peer.ip()) {
                Admission::Admitted(admitted) => return Some(admitted),
                Admission::TooManyOfSource => {
                    let bound = self.limits().connections_per_source;
                    self.warn(|| tracing::warn!(%peer, bound, "a source has too many connections (connections_per_source); further ones are closed"));
                    return None;
                }
                Admission::Full => {
                    let bound = self.limits().connections;
                    self.warn(|| tracing::warn!(bound, "no room for another connection (connections), and none is idle; further ones wait"));
                    self.table.wait_for_room().await;
                }
            }
        }
    }

    fn warn(&self, warning: impl FnOnce()) {
        let mut warned = self.warned.lock();
        if warned.is_none_or(|at| at.elapsed() >= WARN_EVERY) {
            *warned = Some(Instant::now());
            warning();
        }
    }

    /// Reads the PROXY header where the peer owes one, and shakes hands where the door speaks TLS, both
    /// within `head_timeout`.
    ///
    /// # Errors
    /// When one of them fails. A client that speaks plain HTTP to TLS is told so.
    pub async fn enter(&self, tcp: TcpStream, peer: SocketAddr) -> Result<Entered, DoorError> {
        self.greet(tcp, peer).await.inspect_err(|_| self.counts().failed())
    }

    async fn greet(&self, mut tcp: TcpStream, peer: SocketAddr) -> Result<Entered, DoorError> {
        let deadline = Instant::now() + self.limits().head_timeout;
        let local = tcp.local_addr().map_err(DoorError::Proxy)?;
        let is_trusted =
            |address: SocketAddr| self.trusted.iter().any(|network| network.contains(address.ip()));
        let mut client = ClientInfo { address: peer, local, is_tls: false, is_trusted: is_trusted(peer) };
        if self.proxy_protocol && client.is_trusted {
            let header = timeout_at(deadline, proxy_protocol::read(&mut tcp)).await;
            let header = header.map_err(|_| DoorError::Late("PROXY header"))?.map_err(|cause| {
                self.warn(|| tracing::warn!(%peer, %cause, "a trusted proxy sends no PROXY header, though proxy_protocol is on"));
                DoorError::Proxy(cause)
            })?;
            if let Some(source) = header.source {
                let is_trusted = is_trusted(source);
                client = ClientInfo { address: source, local, is_tls: header.is_tls, is_trusted };
            }
        }
        let Some(tls) = &self.tls else {
            return Ok(Entered { stream: Transport::Plain(tcp), client, is_http2: false });
        };
        let shaken = timeout_at(deadline, handshake(tls, tcp)).await;
        let stream = shaken.map_err(|_| DoorError::Late("TLS handshake"))?.map_err(DoorError::Tls)?;
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        client.is_tls = true;
        Ok(Entered { stream: Transport::TlsServer(Box::new(stream)), client, is_http2 })
    }

    /// Serves the requests of a connection to its end, each with `answer`. When `stop` becomes true the
    /// running ones end; bodies that do not come and answers that are not taken are not waited for then.
    ///
    /// # Errors
    /// What ended the connection, when that was not a proper end.
    pub async fn serve<S, A, F, B>(
        &self,
        stream: S,
        is_http2: bool,
        admitted: &Admitted,
        stop: watch::Receiver<bool>,
        answer: A,
    ) -> Result<(), hyper::Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        A: Fn(Request<RequestBody>) -> F + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes> + Unpin + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let state = Arc::clone(&admitted.state);
        http_connection::serve(Arc::clone(&self.settings), stream, is_http2, state, stop, answer).await
    }
}

impl Admitted {
    /// The connection counts as busy until this is dropped: for protocols that have no requests.
    #[must_use]
    pub fn busy(&self) -> crate::RequestInFlight {
        self.state.begin_request()
    }
}

async fn handshake(
    tls: &TlsServer,
    mut tcp: TcpStream,
) -> io::Result<tokio_rustls::server::TlsStream<TcpStream>> {
    let mut first = [0];
    if tcp.peek(&mut first).await? == 1 && first[0].is_ascii_uppercase() {
        tcp.write_all(SPEAKS_TLS).await?;
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the client speaks plain HTTP"));
    }
    tls.acceptor().accept(tcp).await
}
