//! The client: connections that each send the next request once the answer is there. It does as little as it
//! can, for it shares the cores with those that it measures.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sessile_http_server::Transport;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout_at;

use super::certificate::Certificate;
use crate::bench::latency::Latency;
use crate::failure::Failure;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most bytes of a head.
const HEAD_BOUND: usize = 16 * 1024;

/// Opens connections to a balancer, in TLS where it shows a certificate: handshakes are no part of what is
/// measured.
pub(super) async fn open(
    at: SocketAddr,
    connections: u32,
    certificate: Option<&Certificate>,
) -> Result<Vec<Transport>, Failure> {
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(connect(at, certificate).await.map_err(failed)?);
    }
    Ok(open)
}

async fn connect(at: SocketAddr, certificate: Option<&Certificate>) -> std::io::Result<Transport> {
    let tcp = TcpStream::connect(at).await?;
    tcp.set_nodelay(true)?;
    match certificate {
        Some(certificate) => certificate.connect(tcp, at).await,
        None => Ok(Transport::Plain(tcp)),
    }
}

/// Loads a balancer over these connections for `time`: the latencies, and how long it took.
pub(super) async fn run(
    connections: Vec<Transport>,
    bytes: u32,
    time: Duration,
) -> Result<(Latency, Duration), Failure> {
    let request: Arc<[u8]> = format!("GET /{bytes} HTTP/1.1\r\nHost: bench\r\n\r\n").into_bytes().into();
    let mut clients = JoinSet::new();
    let began = Instant::now();
    let end = began + time;
    for connection in connections {
        clients.spawn(client(connection, Arc::clone(&request), bytes as usize, end));
    }
    let mut all = Latency::new();
    while let Some(ended) = clients.join_next().await {
        let latency = ended.map_err(failed)?.map_err(failed)?;
        all.add(&latency);
    }
    Ok((all, began.elapsed()))
}

async fn client(
    mut connection: Transport,
    request: Arc<[u8]>,
    bytes: usize,
    end: Instant,
) -> std::io::Result<Latency> {
    let mut buffer = Vec::with_capacity(HEAD_BOUND + bytes);
    let mut latency = Latency::new();
    let wait = tokio::time::Instant::from_std(end + PATIENCE);
    while Instant::now() < end {
        let sent = Instant::now();
        let answered = async {
            connection.write_all(&request).await?;
            connection.flush().await?;
            read(&mut connection, &mut buffer, bytes).await
        };
        timeout_at(wait, answered).await.map_err(|_| std::io::ErrorKind::TimedOut)??;
        latency.record(sent.elapsed());
    }
    Ok(latency)
}

/// Reads one answer: 200, with so many bytes. Anything else is an error, for then nothing was measured.
async fn read(connection: &mut Transport, buffer: &mut Vec<u8>, bytes: usize) -> std::io::Result<()> {
    let strange = |why: &'static str| std::io::Error::new(std::io::ErrorKind::InvalidData, why);
    buffer.clear();
    let body = loop {
        if connection.read_buf(buffer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        match buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            Some(end) => break end + 4,
            None if buffer.len() > HEAD_BOUND => return Err(strange("a head without an end")),
            None => {}
        }
    };
    if !buffer.starts_with(b"HTTP/1.1 200") {
        return Err(strange("an answer other than 200"));
    }
    while buffer.len() < body + bytes {
        if connection.read_buf(buffer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    if buffer.len() > body + bytes { Err(strange("more bytes than were asked for")) } else { Ok(()) }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(format!("the balancer that is measured does not answer as it should: {error}"))
}
