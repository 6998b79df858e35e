//! The account of one request: what became of it, told to the counters and to the access log once its answer
//! has ended, at its end or before.

use std::sync::Arc;
use std::time::Instant;

use http::request;

use crate::access_log::{AccessLog, Entry};
use crate::statistics::Statistics;

/// Counted and logged when it is dropped.
#[derive(Debug)]
pub(crate) struct Exchange {
    statistics: Arc<Statistics>,
    began: Instant,
    bytes: u64,
    complete: bool,
    log: Option<Box<(Arc<AccessLog>, Entry)>>,
}

/// The source of a response.
#[derive(Debug)]
pub(crate) enum Answered<'a> {
    /// A node, after so many attempts.
    Node { name: &'a str, attempts: u32 },
    /// The balancer, under this reference, after so many attempts.
    Balancer { reference: &'a str },
}

impl Exchange {
    /// Of a request that begins now; `entry` makes its line where there is a log.
    pub(crate) fn begin(
        statistics: &Arc<Statistics>,
        log: Option<&Arc<AccessLog>>,
        entry: impl FnOnce() -> Entry,
    ) -> Self {
        statistics.requested();
        Self {
            statistics: Arc::clone(statistics),
            began: Instant::now(),
            bytes: 0,
            complete: false,
            log: log.map(|log| Box::new((Arc::clone(log), entry()))),
        }
    }

    /// The head of the answer is there.
    pub(crate) fn answered(&mut self, status: u16, answered: &Answered<'_>) {
        let after = self.began.elapsed();
        self.statistics.answered(status, matches!(answered, Answered::Balancer { .. }), after);
        let Some(log) = &mut self.log else { return };
        let entry = &mut log.1;
        (entry.status, entry.answered_after) = (status, Some(after));
        match answered {
            Answered::Node { name, attempts } => {
                (entry.node, entry.attempts) = (Some((*name).to_owned()), *attempts);
            }
            Answered::Balancer { reference } => entry.reference = Some((*reference).to_owned()),
        }
    }

    /// A node took the connection, in TCP.
    pub(crate) fn connected(&mut self, node: &str) {
        if let Some(log) = &mut self.log {
            (log.1.node, log.1.answered_after) = (Some(node.to_owned()), Some(self.began.elapsed()));
        }
    }

    /// Bytes of the answer's body were given to the client.
    pub(crate) fn sent(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// All of the answer was.
    pub(crate) fn complete(&mut self) {
        self.complete = true;
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.statistics.ended(self.bytes, self.complete);
        if let Some(log) = self.log.take() {
            let (log, mut entry) = *log;
            (entry.bytes, entry.complete) = (self.bytes, self.complete);
            log.add(&entry);
        }
    }
}

/// The beginning of a request's line.
pub(crate) fn entry_of(head: &request::Parts, client: std::net::IpAddr) -> Entry {
    let target = head.uri.path_and_query().map_or_else(|| head.uri.to_string(), ToString::to_string);
    let mut entry = Entry::new(client, head.method.as_str(), &target, version(head.version));
    let header = |name| {
        let value: Option<&http::HeaderValue> = head.headers.get(name);
        value.map(|value| crate::access_log::bounded(&String::from_utf8_lossy(value.as_bytes())))
    };
    entry.host = header(http::header::HOST);
    entry.referer = header(http::header::REFERER);
    entry.user_agent = header(http::header::USER_AGENT);
    entry
}

fn version(version: http::Version) -> &'static str {
    match version {
        http::Version::HTTP_2 => "HTTP/2.0",
        http::Version::HTTP_10 => "HTTP/1.0",
        _ => "HTTP/1.1",
    }
}
