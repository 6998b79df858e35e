//! One client of the bench: a connection, a cookie, a session, and the expected content of the session.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http::Method;

use super::clusterapp_response::ClusterappResponse;
use super::verdict::{Expected, Violation, ViolationKind};
use super::workload::Workload;
use crate::connection::Connection;

/// Longest wait until another node shows a change.
const PATIENCE: Duration = Duration::from_secs(10);
/// Versions of client number n begin at n times this, so a value from another client's session is detected.
const VERSIONS: u64 = 1_000_000_000;

/// A client with its cookie.
#[derive(Debug)]
pub(crate) struct LoadClient {
    connection: Connection,
    workload: Workload,
    /// `name=value`; never logged.
    cookie: Option<String>,
    sid: Option<String>,
    /// The node that answered last.
    node: String,
    expected: BTreeMap<String, Expected>,
    /// The version of the next write.
    next: u64,
    pub(crate) faults: Vec<Violation>,
}

/// Why a request has no good answer.
pub(crate) type Unanswered = String;

impl LoadClient {
    /// Client `number` of the server at `at`.
    pub(crate) fn new(at: SocketAddr, workload: Workload, number: u64) -> Self {
        Self {
            connection: Connection::new(at),
            workload,
            cookie: None,
            sid: None,
            node: String::new(),
            expected: BTreeMap::new(),
            next: (number + 1) * VERSIONS,
            faults: Vec::new(),
        }
    }

    /// Creates a session and fills it.
    pub(crate) async fn set_up(&mut self) -> Result<Duration, Unanswered> {
        let (count, size, v) = (self.workload.attributes(), self.workload.size(), self.version());
        let command = format!("add&name=a&size={size}&v={v}&count={count}");
        let (reply, took) = self.ask(&command).await?;
        self.sid = reply.sid;
        let filled = Expected { acknowledged: Some(v), sent: v, size };
        self.expected = (0..count).map(|number| (self.workload.name(number), filled)).collect();
        Ok(took)
    }

    /// Runs one repetition; returns the response time of the change.
    pub(crate) async fn change(&mut self, repetition: u64) -> Result<Duration, Unanswered> {
        let (name, size, v) = (self.workload.name(repetition), self.workload.size(), self.version());
        let before = self.expected.get(&name).and_then(|expected| expected.acknowledged);
        self.expected.insert(name.clone(), Expected { acknowledged: before, sent: v, size });
        let (reply, took) = self.ask(&format!("add&name={name}&size={size}&v={v}")).await?;
        if reply.new || reply.sid != self.sid {
            self.fault(ViolationKind::Lost, format!("{name}: the write reached another session than before"));
            self.sid = reply.sid;
            self.expected.clear();
        }
        if reply.v != Some(v) {
            self.fault(ViolationKind::Torn, format!("{name}: version {v} was acknowledged as {:?}", reply.v));
        }
        self.expected.insert(name, Expected { acknowledged: Some(v), sent: v, size });
        Ok(took)
    }

    /// Reads back the attribute that a repetition wrote, through the session.
    pub(crate) async fn read_back(&mut self, repetition: u64) -> Result<(), Unanswered> {
        let name = self.workload.name(repetition);
        let (reply, _) = self.ask(&format!("show&name={name}&sum=1")).await?;
        self.judge(&name, |reply| reply.reading(), &reply);
        Ok(())
    }

    /// Reads the whole session and judges every attribute.
    pub(crate) async fn read_all(&mut self) -> Result<(), Unanswered> {
        let (reply, _) = self.ask("show&sum=1").await?;
        for name in self.expected.keys().cloned().collect::<Vec<_>>() {
            self.judge(&name, |reply| reply.listed(&name), &reply);
        }
        Ok(())
    }

    /// Time until the other nodes' own copies show the attribute that a repetition wrote.
    pub(crate) async fn until_visible(
        &mut self,
        repetition: u64,
        nodes: &mut [(String, Connection)],
    ) -> Result<Duration, Unanswered> {
        let (began, name) = (Instant::now(), self.workload.name(repetition));
        let (Some(sid), Some(expected)) = (&self.sid, self.expected.get(&name)) else {
            return Ok(Duration::ZERO);
        };
        let target = format!("/clusterapp/session?cmd=peek&sid={sid}&name={name}");
        for (_, connection) in nodes.iter_mut().filter(|(other, _)| *other != self.node) {
            loop {
                let answer = connection.send(Method::GET, &target, None).await;
                let reply = ClusterappResponse::of(&answer.map_err(|none| none.to_string())?)?;
                match expected.judge(&name, reply.reading()) {
                    None => break,
                    Some(Violation { kind: ViolationKind::Stale | ViolationKind::Lost, .. })
                        if began.elapsed() < PATIENCE => {}
                    Some(fault) => {
                        self.faults.push(fault);
                        break;
                    }
                }
            }
        }
        Ok(began.elapsed())
    }

    /// Removes an attribute and verifies the removal; returns the response time.
    pub(crate) async fn remove(&mut self, name: &str) -> Result<Duration, Unanswered> {
        let (_, took) = self.ask(&format!("remove&name={name}")).await?;
        if let Some(expected) = self.expected.get_mut(name) {
            // A removed attribute must not come back in any version.
            *expected = Expected { acknowledged: None, sent: self.next, ..*expected };
        }
        let (reply, _) = self.ask(&format!("show&name={name}&sum=1")).await?;
        self.judge(name, |reply| reply.reading(), &reply);
        Ok(took)
    }

    /// Ends the session and verifies its end; returns the response time.
    pub(crate) async fn invalidate(&mut self) -> Result<Duration, Unanswered> {
        let cookie = self.cookie.clone();
        let (_, took) = self.ask("invalidate").await?;
        // Keep the old cookie, like a browser that missed the response.
        self.cookie = cookie;
        let (reply, _) = self.ask("show").await?;
        if reply.found != Some(false) || reply.sid.is_some() {
            self.fault(ViolationKind::Stale, "an ended session came back".to_owned());
        }
        (self.cookie, self.sid) = (None, None);
        self.expected.clear();
        Ok(took)
    }

    /// A request was interrupted: the content of the session is unknown and no longer judged.
    pub(crate) fn forget(&mut self) {
        self.expected.clear();
    }

    fn version(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    fn judge<'f>(
        &mut self,
        name: &str,
        reading: impl FnOnce(&'f ClusterappResponse) -> Option<super::verdict::Reading>,
        reply: &'f ClusterappResponse,
    ) {
        let fault = self.expected.get(name).and_then(|expected| expected.judge(name, reading(reply)));
        self.faults.extend(fault);
    }

    fn fault(&mut self, kind: ViolationKind, words: String) {
        self.faults.push(Violation { kind, words });
    }

    /// Sends a command with the cookie, and takes the cookie of the answer.
    async fn ask(&mut self, command: &str) -> Result<(ClusterappResponse, Duration), Unanswered> {
        let target = format!("/clusterapp/session?cmd={command}");
        let answer = self.connection.send(Method::POST, &target, self.cookie.as_deref()).await;
        let answer = answer.map_err(|none| none.to_string())?;
        let reply = ClusterappResponse::of(&answer)?;
        self.node.clone_from(&reply.node);
        if answer.cookie.is_some() {
            self.cookie = answer.cookie;
        }
        Ok((reply, answer.took))
    }
}
