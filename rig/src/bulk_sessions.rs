//! Bulk session creation over kept connections, with which a scenario fills a cluster.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

/// Connections, shared among the hosts.
const CONNECTIONS: usize = 16;
/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct BulkResult {
    /// Number of responses by status.
    pub(crate) answers: BTreeMap<u16, usize>,
    /// Cookies of the created sessions.
    pub(crate) cookies: Vec<String>,
    /// Connections that broke early.
    pub(crate) broken: usize,
}

/// Sends this session-creating request `count` times, or as often as possible within `time`. A broken
/// connection sends no more.
pub(crate) fn fill(hosts: &[Ipv4Addr], target: &str, count: usize, time: Duration) -> Result<BulkResult> {
    let until = Instant::now() + time;
    let workers: Vec<_> = (0..CONNECTIONS)
        .map(|number| {
            let host = hosts[number % hosts.len()];
            let share = count / CONNECTIONS + usize::from(number < count % CONNECTIONS);
            let target = target.to_owned();
            std::thread::spawn(move || work(host, &target, share, until))
        })
        .collect();
    let mut all = BulkResult::default();
    for worker in workers {
        let done = worker.join().map_err(|_| anyhow!("a client panicked"))?;
        done.answers.into_iter().for_each(|(status, count)| *all.answers.entry(status).or_default() += count);
        all.cookies.extend(done.cookies);
        all.broken += done.broken;
    }
    Ok(all)
}

fn work(host: Ipv4Addr, target: &str, share: usize, until: Instant) -> BulkResult {
    let mut filled = BulkResult::default();
    let done = Connection::to(host).and_then(|mut connection| {
        (0..share).take_while(|_| Instant::now() < until).try_for_each(|_| {
            let (status, cookie) = connection.ask(target)?;
            *filled.answers.entry(status).or_default() += 1;
            filled.cookies.extend(cookie);
            Ok(())
        })
    });
    filled.broken = usize::from(done.is_err());
    filled
}

struct Connection {
    answers: BufReader<TcpStream>,
    host: SocketAddr,
}

impl Connection {
    fn to(host: Ipv4Addr) -> Result<Self> {
        let host = SocketAddr::from((host, 9080));
        let socket = TcpStream::connect_timeout(&host, PATIENCE)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_nodelay(true)?;
        Ok(Self { answers: BufReader::new(socket), host })
    }

    fn ask(&mut self, target: &str) -> Result<(u16, Option<String>)> {
        let head = format!("POST {target} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\n\r\n", self.host);
        self.answers.get_mut().write_all(head.as_bytes())?;
        let (mut line, mut length, mut cookie) = (String::new(), 0, None);
        self.answers.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.context("an answer without a status")?;
        loop {
            line.clear();
            self.answers.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().context("an answer without a length")?,
                "set-cookie" => cookie = value.split(';').next().map(|cookie| cookie.trim().to_owned()),
                _ => {}
            }
        }
        self.answers.read_exact(&mut vec![0; length])?;
        Ok((status, cookie))
    }
}
