//! `--idle` and `--slow`: how much memory a balancer takes for connections that only stay.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::name;
use super::rival::{Kind, Rival};
use super::server::Servers;
use crate::bench::table::Table;
use crate::bench::usage::resident;
use crate::failure::Failure;
use crate::output;

/// Requests before anything is counted, so that what grows once has grown.
const WARM_UP: u32 = 200;
/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long memory must not have become less.
const MOMENT: Duration = Duration::from_secs(2);
const REQUEST: &[u8] = b"GET /200 HTTP/1.1\r\nhost: bench\r\nuser-agent: bench\r\naccept: */*\r\n\r\n";
/// The beginning of a head that does not end.
const HALF: &[u8] = b"GET /200 HTTP/1.1\r\nhost: bench\r\nx-slow: ";

/// What was found.
#[derive(Debug, Serialize)]
pub(super) struct HeldReport {
    idle: u32,
    slow: u32,
    balancers: Vec<Held>,
}

/// One balancer, in bytes of resident memory.
#[derive(Debug, Serialize)]
struct Held {
    balancer: String,
    before: u64,
    bytes_per_idle: Option<f64>,
    bytes_per_slow: Option<f64>,
}

/// Holds connections at each balancer in turn.
pub(super) async fn measure(kinds: &[Kind], idle: u32, slow: u32) -> Result<HeldReport, Failure> {
    let servers = Servers::start()?;
    let mut balancers = Vec::new();
    for kind in kinds {
        match Rival::start(*kind, servers.addresses(), None).await? {
            Some(rival) => balancers.push(hold(&rival, idle, slow).await?),
            None => output::tell(&format!("{} is not installed and left out", name(*kind))),
        }
    }
    Ok(HeldReport { idle, slow, balancers })
}

async fn hold(rival: &Rival, idle: u32, slow: u32) -> Result<Held, Failure> {
    let failed = |error: std::io::Error| Failure::Failed(format!("{}: {error}", rival.kind()));
    for _ in 0..WARM_UP {
        answered(rival.address()).await.map_err(failed)?;
    }
    let before = memory_of(rival)?;
    let mut held = Vec::new();
    for _ in 0..idle {
        held.push(answered(rival.address()).await.map_err(failed)?);
    }
    let with_idle = settled(rival).await?;
    for _ in 0..slow {
        held.push(begun(rival.address()).await.map_err(failed)?);
    }
    // All that was sent has been read once this is answered.
    answered(rival.address()).await.map_err(failed)?;
    let with_slow = settled(rival).await?;
    let still_open = alive(&held);
    if still_open < held.len() {
        let text = format!("{} of {} connections were closed meanwhile", held.len() - still_open, held.len());
        return Err(Failure::Failed(format!("{}: {text}", rival.kind())));
    }
    let each =
        |from: u64, to: u64, count: u32| (count > 0).then(|| (to as f64 - from as f64) / f64::from(count));
    Ok(Held {
        balancer: name(rival.kind()),
        before,
        bytes_per_idle: each(before, with_idle, idle),
        bytes_per_slow: each(with_idle, with_slow, slow),
    })
}

/// A connection that has had its answer.
async fn answered(at: SocketAddr) -> std::io::Result<TcpStream> {
    let mut tcp = TcpStream::connect(at).await?;
    tcp.write_all(REQUEST).await?;
    let (mut seen, mut buffer) = (Vec::new(), [0; 2048]);
    let complete = async {
        // The servers' answers of 200 bytes are no longer than that.
        while !is_complete(&seen) {
            let count = tcp.read(&mut buffer).await?;
            if count == 0 {
                return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
            }
            seen.extend_from_slice(&buffer[..count]);
        }
        Ok::<_, std::io::Error>(())
    };
    timeout(PATIENCE, complete).await.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
    Ok(tcp)
}

/// Whether the head and the body that it announces are there.
fn is_complete(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let lengths = head.lines().filter_map(|line| line.split_once(':'));
    let mut length = lengths
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map(|(_, length)| length.trim());
    length.next_back().and_then(|length| length.parse().ok()).is_none_or(|length: usize| body.len() >= length)
}

/// A connection that has begun to ask.
async fn begun(at: SocketAddr) -> std::io::Result<TcpStream> {
    let mut tcp = TcpStream::connect(at).await?;
    tcp.write_all(HALF).await?;
    Ok(tcp)
}

/// How many are still open.
fn alive(held: &[TcpStream]) -> usize {
    let is_open = |tcp: &&TcpStream| {
        tcp.try_read(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    };
    held.iter().filter(is_open).count()
}

/// The memory once it has not become less for a moment: what is idle may be put away a little later.
async fn settled(rival: &Rival) -> Result<u64, Failure> {
    let mut least = memory_of(rival)?;
    loop {
        sleep(MOMENT).await;
        let now = memory_of(rival)?;
        if now >= least {
            return Ok(now);
        }
        least = now;
    }
}

fn memory_of(rival: &Rival) -> Result<u64, Failure> {
    let all: Option<u64> = rival.processes().into_iter().map(resident).sum();
    all.ok_or_else(|| Failure::Failed("this system does not tell the memory of a process".to_owned()))
}

impl HeldReport {
    pub(super) fn json(&self) -> Result<String, Failure> {
        serde_json::to_string_pretty(self).map_err(|error| Failure::Failed(format!("JSON: {error}")))
    }
}

impl fmt::Display for HeldReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(["balancer", "before", "an idle connection", "a slow one"]);
        let each = |bytes: Option<f64>| bytes.map_or("-".to_owned(), |bytes| format!("{bytes:.0} B"));
        for held in &self.balancers {
            let before = format!("{} KiB", held.before / 1024);
            table.row([held.balancer.clone(), before, each(held.bytes_per_idle), each(held.bytes_per_slow)]);
        }
        table.remark(format!(
            "growth of resident memory for each of {} idle keep-alive connections, then of {} slow ones",
            self.idle, self.slow
        ));
        write!(f, "{table}")
    }
}
