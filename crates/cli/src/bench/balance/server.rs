//! What is behind the balancers: two processes that answer `GET /N` with N bytes, and their health path with
//! 200.
//!
//! Each is this program again (`sessile bench balance-server`). It connects to the one that measures, tells
//! its port there, and ends with that connection.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use clap::Args;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bench::peer_process::{PATIENCE, accept};
use crate::failure::Failure;
use crate::runtime;

/// Servers behind each balancer.
const SERVERS: usize = 2;
/// Most bytes of a request's head.
const HEAD_BOUND: usize = 64 * 1024;
/// Most bytes of an answer.
const BODY_BOUND: usize = 10_000_000;

/// The process that answers.
#[derive(Debug, Args)]
pub(crate) struct BalanceServer {
    /// Where the one that measures listens
    parent: SocketAddr,
}

impl BalanceServer {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::Failed(format!("bench server: {error}"));
        runtime::run_on_one_thread(async move { self.serve().await.map_err(failed) })
    }

    async fn serve(self) -> io::Result<()> {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let mut parent = TcpStream::connect(self.parent).await?;
        parent.write_u16(listener.local_addr()?.port()).await?;
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let (tcp, _) = accepted?;
                    tcp.set_nodelay(true)?;
                    // A connection that breaks is the balancer's affair.
                    tokio::spawn(async move { answer(tcp).await.is_ok() });
                }
                // The other end says nothing and ends.
                _ = parent.read_u8() => return Ok(()),
            }
        }
    }
}

/// Answers request after request.
async fn answer(mut tcp: TcpStream) -> io::Result<()> {
    let mut request = Vec::with_capacity(HEAD_BOUND);
    let mut response = Vec::new();
    let mut prepared = usize::MAX;
    loop {
        request.clear();
        while !request.ends_with(b"\r\n\r\n") {
            if tcp.read_buf(&mut request).await? == 0 || request.len() > HEAD_BOUND {
                return Ok(());
            }
        }
        let bytes = wanted(&request);
        if bytes != prepared {
            response =
                format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {bytes}\r\n\r\n")
                    .into();
            response.resize(response.len() + bytes, b'x');
            prepared = bytes;
        }
        tcp.write_all(&response).await?;
    }
}

/// The number in the target.
fn wanted(request: &[u8]) -> usize {
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let target = std::str::from_utf8(line).ok().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    target.trim_start_matches('/').parse().unwrap_or(0).min(BODY_BOUND)
}

/// The processes, which end when this is dropped.
#[derive(Debug)]
pub(super) struct Servers(Vec<(Child, std::net::TcpStream, SocketAddr)>);

impl Servers {
    pub(super) fn start() -> Result<Self, Failure> {
        let started = (0..SERVERS).map(|_| start()).collect::<io::Result<_>>();
        started.map(Self).map_err(|error| Failure::Failed(format!("a server for the bench: {error}")))
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.0.iter().map(|(_, _, address)| *address)
    }
}

fn start() -> io::Result<(Child, std::net::TcpStream, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let mut program = Command::new(std::env::current_exe()?);
    program.args(["bench", "balance-server", &listener.local_addr()?.to_string()]);
    let mut child = program.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let told = accept(&listener).and_then(|mut tcp| {
        tcp.set_read_timeout(Some(PATIENCE))?;
        let mut port = [0; 2];
        tcp.read_exact(&mut port)?;
        Ok((tcp, SocketAddr::from((Ipv4Addr::LOCALHOST, u16::from_be_bytes(port)))))
    });
    match told {
        Ok((tcp, address)) => Ok((child, tcp, address)),
        Err(error) => {
            // It did not come: nothing is lost by killing it.
            let _ = child.kill();
            let _ = child.wait();
            Err(error)
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for (child, tcp, _) in &mut self.0 {
            // The byte, or the end of the connection, ends it. Its exit code says nothing.
            let _ = tcp.write_all(&[0]);
            let _ = tcp.shutdown(std::net::Shutdown::Both);
            let _ = child.wait();
        }
    }
}
