//! Counts the commits by nodes of the next version twice: here, and in the field that only such nodes know.
//! If a current node loses the field, a node of the next version reads back too low a number.

use std::net::SocketAddrV4;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::http_request::{HttpResponse, ask};

/// Number of counted sessions: some in each shard.
const SESSIONS: u64 = 48;

/// The sessions.
pub(crate) struct CommitCounts(Vec<CountedSession>);

struct CountedSession {
    cookie: String,
    key: String,
    /// Commits acknowledged by nodes of the next version.
    counted: u64,
}

impl CommitCounts {
    /// Creates sessions at a node of the next version.
    pub(crate) fn open(at: SocketAddrV4) -> Result<Self> {
        (1..=SESSIONS)
            .map(|v| {
                let made = add(at, v, None)?;
                let facts: Value = serde_json::from_str(&made.body).context("an answer of clusterapp")?;
                let key = facts["sid"].as_str().context("a session has a key")?.to_owned();
                Ok(CountedSession { cookie: made.cookie.context("a session has a cookie")?, key, counted: 1 })
            })
            .collect::<Result<_>>()
            .map(Self)
    }

    /// Commits once to each session, at a node of the next or the current version.
    pub(crate) fn write(&mut self, at: SocketAddrV4, is_next: bool) -> Result<()> {
        self.0.iter_mut().zip(1..).try_for_each(|(entry, v)| {
            let done = add(at, v, Some(&entry.cookie))?;
            entry.counted += u64::from(is_next);
            entry.cookie = done.cookie.unwrap_or_else(|| std::mem::take(&mut entry.cookie));
            Ok(())
        })
    }

    /// Reads the field back from a node of the next version; returns descriptions of wrong counts.
    pub(crate) fn read_back(&self, at: SocketAddrV4) -> Result<Vec<String>> {
        let compare = |entry: &CountedSession| {
            let target = format!("/later?sid={}", entry.key);
            let found = ask(*at.ip(), at.port(), "GET", &target, None)?;
            let is_right = found.status == 200 && found.body == entry.counted.to_string();
            let words = || {
                format!("{at}: {} and not {} in {} ({})", found.body, entry.counted, entry.key, found.status)
            };
            Ok((!is_right).then(words))
        };
        self.0.iter().filter_map(|entry| compare(entry).transpose()).collect()
    }

    /// Number of sessions.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

fn add(at: SocketAddrV4, v: u64, cookie: Option<&str>) -> Result<HttpResponse> {
    let target = format!("/clusterapp/session?cmd=add&name=a&size=64&v={v}");
    let done = ask(*at.ip(), at.port(), "POST", &target, cookie)?;
    ensure!(
        done.status == 200,
        "a write to a counted session at {at} was answered with {}: {}",
        done.status,
        done.body
    );
    Ok(done)
}
