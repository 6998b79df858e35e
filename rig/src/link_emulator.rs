//! Emulates links that delay, jitter, stall, damage, half-close and break, which the kernels of test machines
//! often cannot.
//!
//! It forwards TCP connections. A stalled connection stays open and accepts no data, like a powered-off
//! machine or a peer that never reads.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Bytes of one forwarded chunk.
const CHUNK: usize = 4 * 1024;
/// Most recorded connections, and most bytes of each recording.
const RECORDINGS_MAX: usize = 64;
const RECORDED_MAX: usize = 256 * 1024;
/// Poll interval of a stalled connection.
const GLANCE: Duration = Duration::from_millis(5);

/// The faults of a link, changeable at run time. Clones share one state.
#[derive(Debug, Clone, Default)]
pub(crate) struct LinkFaults(Arc<LinkState>);

#[derive(Debug, Default)]
struct LinkState {
    delay_ms: AtomicU64,
    jitter_ms: AtomicU64,
    /// One of this many chunks has a flipped bit; 0 for none.
    damage_every: AtomicU32,
    stalled: AtomicBool,
    /// Connections of an earlier generation are cut.
    age: AtomicU64,
    /// Incremented to make connections deaf: data on connections of an earlier count vanishes.
    deafened: AtomicU64,
    /// Data to the connection does not arrive; data from it does.
    half_closed: AtomicBool,
    pub(crate) damaged: AtomicU64,
    rng: AtomicU64,
    records: AtomicBool,
    recordings: Mutex<Vec<Recording>>,
}

/// The data that a client sent on a connection, from its first byte.
#[derive(Debug, Clone)]
pub(crate) struct Recording {
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Arc<Mutex<Vec<u8>>>,
}

impl Recording {
    fn extend(&self, more: &[u8]) {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let room = RECORDED_MAX - bytes.len();
        bytes.extend_from_slice(&more[..more.len().min(room)]);
    }

    pub(crate) fn so_far(&self) -> Vec<u8> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl LinkFaults {
    /// Delays every chunk by `delay_ms` plus up to `jitter_ms`.
    pub(crate) fn delay(&self, delay_ms: u64, jitter_ms: u64) {
        self.0.delay_ms.store(delay_ms, Relaxed);
        self.0.jitter_ms.store(jitter_ms, Relaxed);
    }

    /// Flips a bit in one of `every` chunks.
    pub(crate) fn damage(&self, every: u32) {
        self.0.damage_every.store(every, Relaxed);
    }

    /// Number of damaged chunks.
    pub(crate) fn damaged(&self) -> u64 {
        self.0.damaged.load(Relaxed)
    }

    /// Keeps connections open and forwards nothing in either direction.
    pub(crate) fn stall(&self, stalled: bool) {
        self.0.stalled.store(stalled, Relaxed);
    }

    /// Resets both sides of every connection.
    pub(crate) fn reset(&self) {
        self.0.age.fetch_add(1, Relaxed);
    }

    /// Records the data that clients send on new connections.
    pub(crate) fn record(&self) {
        self.0.records.store(true, Relaxed);
    }

    pub(crate) fn recordings(&self) -> Vec<Recording> {
        self.0.recordings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn recording(&self, to: SocketAddr) -> Option<Recording> {
        let mut recordings = self.0.recordings.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.0.records.load(Relaxed) || recordings.len() >= RECORDINGS_MAX {
            return None;
        }
        let made = Recording { to, bytes: Arc::default() };
        recordings.push(made.clone());
        Some(made)
    }

    /// Drops all further data of the current connections, which stay open; new connections work.
    pub(crate) fn deafen(&self) {
        self.0.deafened.fetch_add(1, Relaxed);
    }

    /// Closes the sending direction of every connection at its next data.
    pub(crate) fn half_close(&self, closed: bool) {
        self.0.half_closed.store(closed, Relaxed);
    }

    fn lag(&self) -> Duration {
        let (delay, jitter) = (self.0.delay_ms.load(Relaxed), self.0.jitter_ms.load(Relaxed));
        Duration::from_millis(delay + if jitter == 0 { 0 } else { self.next_random() % jitter })
    }

    /// The next pseudo-random number.
    fn next_random(&self) -> u64 {
        let mut z = self.0.rng.fetch_add(0x9E37_79B9_7F4A_7C15, Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z ^ (z >> 31)
    }
}

/// An emulated link from one node to another. It runs until the program ends.
pub(crate) struct LinkEmulator {
    pub(crate) port: u16,
}

impl LinkEmulator {
    /// Listens at `here` and forwards connections to `to`.
    pub(crate) fn start(here: Ipv4Addr, to: SocketAddr, link_faults: LinkFaults) -> Result<Self> {
        let listener = TcpListener::bind((here, 0)).context("an emulated link")?;
        let port = listener.local_addr().context("an emulated link")?.port();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let link_faults = link_faults.clone();
                std::thread::spawn(move || carry(client, to, &link_faults));
            }
        });
        Ok(Self { port })
    }
}

/// Connects to `to` for a client. If the connection is refused, the client is reset, as without the emulator.
fn carry(client: TcpStream, to: SocketAddr, link_faults: &LinkFaults) {
    let Ok(server) = TcpStream::connect_timeout(&to, Duration::from_secs(2)) else { return reset(&client) };
    let age = link_faults.0.age.load(Relaxed);
    let ends = [(&client, &server, link_faults.recording(to)), (&server, &client, None)]
        .map(|(from, to, kept)| Some((from.try_clone().ok()?, to.try_clone().ok()?, kept)));
    for (from, to, kept) in ends.into_iter().flatten() {
        let link_faults = link_faults.clone();
        let _ = from.set_nodelay(true);
        std::thread::spawn(move || forward(from, to, &link_faults, age, kept));
    }
}

/// Forwards one direction until it ends, then closes it on the other side.
fn forward(from: TcpStream, mut to: TcpStream, link_faults: &LinkFaults, age: u64, kept: Option<Recording>) {
    let (queue, late) = std::sync::mpsc::sync_channel::<(Instant, Vec<u8>)>(1_024);
    let (mut source, sending) = (from, link_faults.clone());
    let deafened = link_faults.0.deafened.load(Relaxed);
    let reader = std::thread::spawn(move || {
        let mut buffer = [0; CHUNK];
        let _ = source.set_read_timeout(Some(Duration::from_millis(50)));
        loop {
            if sending.0.age.load(Relaxed) != age {
                return reset(&source);
            }
            if sending.0.stalled.load(Relaxed) {
                sleep(GLANCE);
                continue;
            }
            match source.read(&mut buffer) {
                Ok(0) => return,
                Ok(_) if sending.0.deafened.load(Relaxed) != deafened => {}
                Ok(read) => {
                    kept.iter().for_each(|kept| kept.extend(&buffer[..read]));
                    if queue.send((Instant::now() + sending.lag(), buffer[..read].to_vec())).is_err() {
                        return;
                    }
                }
                Err(error) if is_late(&error) => {}
                Err(_) => return,
            }
        }
    });
    while let Ok((due, mut bytes)) = late.recv() {
        sleep(due.saturating_duration_since(Instant::now()));
        while link_faults.0.stalled.load(Relaxed) && link_faults.0.age.load(Relaxed) == age {
            sleep(GLANCE);
        }
        if link_faults.0.half_closed.load(Relaxed) {
            break;
        }
        damage(&mut bytes, link_faults);
        if to.write_all(&bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    drop(late);
    let _ = reader.join();
}

fn damage(bytes: &mut [u8], link_faults: &LinkFaults) {
    let every = u64::from(link_faults.0.damage_every.load(Relaxed));
    if every == 0 || !link_faults.next_random().is_multiple_of(every) || bytes.is_empty() {
        return;
    }
    let place = (link_faults.next_random() as usize) % bytes.len();
    bytes[place] ^= 1 << (link_faults.next_random() % 8);
    link_faults.0.damaged.fetch_add(1, Relaxed);
}

fn is_late(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut | std::io::ErrorKind::Interrupted
    )
}

/// Makes the connection end with RST instead of FIN.
fn reset(socket: &TcpStream) {
    let _ = socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO));
    let _ = socket.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An emulated link to an echo server.
    fn echo() -> (TcpStream, LinkFaults) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let at = listener.local_addr().expect("it listens");
        std::thread::spawn(move || {
            for mut client in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    std::io::copy(&mut client.try_clone().expect("a socket"), &mut client)
                });
            }
        });
        let link_faults = LinkFaults::default();
        let emulator = LinkEmulator::start(Ipv4Addr::LOCALHOST, at, link_faults.clone()).expect("it listens");
        let client = TcpStream::connect(("127.0.0.1", emulator.port)).expect("it accepts");
        (client, link_faults)
    }

    #[test]
    fn an_emulated_link_delays_stalls_damages_and_breaks() {
        let (mut client, link_faults) = echo();
        let mut exchange = |bytes: &[u8]| {
            let mut back = vec![0; bytes.len()];
            client.write_all(bytes)?;
            client.read_exact(&mut back).map(|()| back)
        };
        assert_eq!(exchange(b"plain").expect("an echo"), b"plain");
        link_faults.delay(40, 10);
        let began = Instant::now();
        assert_eq!(exchange(b"late").expect("an echo"), b"late");
        assert!(began.elapsed() >= Duration::from_millis(80), "there and back");
        link_faults.delay(0, 0);
        link_faults.damage(1);
        assert_ne!(exchange(b"twice damaged, at different places").expect("an echo").len(), 0);
        assert_eq!(link_faults.damaged(), 2);
        link_faults.damage(0);
        link_faults.stall(true);
        let freed = link_faults.clone();
        std::thread::spawn(move || {
            sleep(Duration::from_millis(60));
            freed.stall(false);
        });
        let began = Instant::now();
        assert_eq!(exchange(b"stalled").expect("an echo"), b"stalled");
        assert!(began.elapsed() >= Duration::from_millis(30));
        link_faults.deafen();
        client.write_all(b"nobody hears this").expect("it is open");
        client.set_read_timeout(Some(Duration::from_millis(100))).expect("a socket");
        let heard = client.read(&mut [0]).expect_err("nothing comes back");
        assert!(is_late(&heard), "it is open still: {heard}");
        let mut exchange = |bytes: &[u8]| {
            client.write_all(bytes)?;
            client.read_exact(&mut vec![0; bytes.len()])
        };
        link_faults.reset();
        assert!(exchange(b"gone").and_then(|_| exchange(b"gone")).is_err());
    }
}
