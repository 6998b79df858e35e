//! Lower bounds of this machine: the same bytes to another process and back over plain TCP, and the
//! throughput of a stream, plain and encrypted like links between nodes.
//!
//! The peer process is this program again (`sessile bench floor-peer`). It connects to the measuring process,
//! so the closed connection ends it, however the measuring process ends.

mod encrypted;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

use super::latency::Latency;
use super::peer_process::{PATIENCE, accept};
use crate::failure::Failure;

/// Bytes of one replicated write of 1 KB, and of its acknowledgement.
const THERE: usize = 1_066;
const BACK: usize = 8;
/// Bytes of one write call.
const PIECE: usize = 256 * 1024;
/// Most bytes of a certificate.
const CERTIFICATE_MAX: u64 = 64 * 1024;

/// What the peer process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Echoes each message.
    Pong,
    /// Reads to the end, then reports the number of bytes.
    Sink,
    /// The same under TLS; the certificate of the other side comes over the standard input.
    EncryptedSink,
}

/// The peer process.
#[derive(Debug, Args)]
pub(crate) struct FloorPeer {
    at: SocketAddr,
    part: Part,
}

impl FloorPeer {
    pub(super) fn run(self) -> Result<(), Failure> {
        self.play().map_err(|error| Failure::Failed(format!("floor: {error}")))
    }

    fn play(&self) -> io::Result<()> {
        let mut tcp = TcpStream::connect_timeout(&self.at, PATIENCE)?;
        tcp.set_nodelay(true)?;
        match self.part {
            Part::Pong => {
                let mut message = [0; THERE];
                while tcp.read_exact(&mut message).is_ok() {
                    tcp.write_all(&message[..BACK])?;
                }
                Ok(())
            }
            Part::Sink => {
                let bytes = io::copy(&mut io::BufReader::with_capacity(PIECE, &tcp), &mut io::sink())?;
                tcp.write_all(&bytes.to_be_bytes())
            }
            Part::EncryptedSink => {
                let mut certificate = Vec::new();
                io::stdin().take(CERTIFICATE_MAX).read_to_end(&mut certificate)?;
                let mut stream = encrypted::connect(&tcp, certificate)?;
                let mut piece = vec![0; PIECE];
                let mut bytes: u64 = 0;
                loop {
                    match stream.read(&mut piece)? {
                        0 => break,
                        read => bytes += read as u64,
                    }
                }
                tcp.write_all(&bytes.to_be_bytes())
            }
        }
    }
}

/// A connection to the peer process, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Floor {
    tcp: TcpStream,
    peer: Child,
}

impl Floor {
    /// Starts a peer that echoes each message.
    pub(super) fn ping_pong() -> Result<Self, Failure> {
        Self::start(Part::Pong, &[]).map_err(failed)
    }

    /// The peer process.
    pub(super) fn peer(&self) -> u32 {
        self.peer.id()
    }

    /// Sends messages for `time`, each after the echo of the previous one.
    pub(super) fn bounce(&mut self, time: Duration) -> Result<Latency, Failure> {
        let (mut latency, began) = (Latency::new(), Instant::now());
        let (message, mut answer) = ([7; THERE], [0; BACK]);
        while began.elapsed() < time {
            let sent = Instant::now();
            self.tcp.write_all(&message).map_err(failed)?;
            self.tcp.read_exact(&mut answer).map_err(failed)?;
            latency.record(sent.elapsed());
        }
        Ok(latency)
    }

    /// Throughput of a plain stream, in bytes a second.
    pub(super) fn stream(bytes: u64) -> Result<f64, Failure> {
        let mut floor = Self::start(Part::Sink, &[]).map_err(failed)?;
        let began = Instant::now();
        pour(bytes, &floor.tcp).map_err(failed)?;
        floor.arrived(bytes)?;
        Ok(bytes as f64 / began.elapsed().as_secs_f64())
    }

    /// Throughput of a stream encrypted like links between nodes, in bytes a second.
    pub(super) fn encrypted_stream(bytes: u64) -> Result<f64, Failure> {
        let keys = encrypted::Keys::new().map_err(failed)?;
        let mut floor = Self::start(Part::EncryptedSink, keys.certificate()).map_err(failed)?;
        let mut stream = keys.accept(&floor.tcp).map_err(failed)?;
        let began = Instant::now();
        pour(bytes, &mut stream).map_err(failed)?;
        stream.conn.send_close_notify();
        stream.flush().map_err(failed)?;
        floor.arrived(bytes)?;
        Ok(bytes as f64 / began.elapsed().as_secs_f64())
    }

    /// Waits until the peer confirms all bytes.
    fn arrived(&mut self, bytes: u64) -> Result<(), Failure> {
        self.tcp.shutdown(Shutdown::Write).map_err(failed)?;
        let mut counted = [0; 8];
        self.tcp.read_exact(&mut counted).map_err(failed)?;
        match u64::from_be_bytes(counted) {
            counted if counted == bytes => Ok(()),
            counted => Err(failed(format!("{bytes} bytes were sent, {counted} came"))),
        }
    }

    /// Starts the peer process and writes to its standard input.
    fn start(part: Part, told: &[u8]) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let name = part.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let mut program = Command::new(std::env::current_exe()?);
        program.args(["bench", "floor-peer", &listener.local_addr()?.to_string(), &name]);
        let mut peer = program.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
        let heard = peer.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(told));
        let connected = heard.and_then(|()| accept(&listener)).and_then(|tcp| {
            tcp.set_nodelay(true)?;
            tcp.set_read_timeout(Some(PATIENCE))?;
            Ok(tcp)
        });
        match connected {
            Ok(tcp) => Ok(Self { tcp, peer }),
            Err(error) => {
                // The peer did not connect, so it can be killed.
                let _ = peer.kill();
                let _ = peer.wait();
                Err(error)
            }
        }
    }
}

/// Writes `bytes` bytes.
fn pour(bytes: u64, to: impl Write) -> io::Result<()> {
    let mut buffered = io::BufWriter::with_capacity(PIECE, to);
    io::copy(&mut io::repeat(7).take(bytes), &mut buffered)?;
    buffered.flush()
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(format!("the floor of this machine cannot be measured: {error}"))
}

impl Drop for Floor {
    fn drop(&mut self) {
        // Closing the connection ends the peer. Its exit code does not matter.
        let _ = self.tcp.shutdown(Shutdown::Both);
        let _ = self.peer.wait();
    }
}
