//! One client of the check: writes successive versions into its session and sometimes reads one back.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http::{Method, StatusCode};
use serde::Deserialize;
use sessile_history::SeededRng;
use tokio::time::sleep;

use super::observation::ObservationKind;
use super::observation_log::ObservationLog;
use super::size_of;
use crate::connection::{ClientResponse, Connection};
use crate::failure::Failure;

/// Attributes of a session.
const NAMES: u64 = 8;
/// One of this many requests is a read.
const READS: u64 = 8;
/// Longest time without an acknowledged write.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause before an unacknowledged write is repeated.
const PAUSE: Duration = Duration::from_millis(20);

/// A client with its cookie.
pub(super) struct Writer {
    connection: Connection,
    log: ObservationLog,
    rng: SeededRng,
    session: Option<ClientSession>,
    /// The version of the next write, never used twice.
    next: u64,
}

/// The session of the client.
struct ClientSession {
    /// `name=value`; never logged.
    cookie: String,
    sid: String,
    /// The written attributes with their versions.
    written: BTreeMap<String, u64>,
}

/// The evaluated fields of a response.
#[derive(Debug, Deserialize)]
pub(super) struct WriteResponse {
    pub(super) node: String,
    pub(super) sid: Option<String>,
    pub(super) v: Option<u64>,
    pub(super) len: Option<u64>,
    pub(super) fnv: Option<u32>,
}

impl Writer {
    /// A client of the balancer at `at`.
    pub(super) fn new(at: SocketAddr, log: ObservationLog, rng: SeededRng) -> Self {
        Self { connection: Connection::new(at), log, rng, session: None, next: 1 }
    }

    /// Drops the session, like a closed browser.
    pub(super) fn forget_session(&mut self) {
        self.session = None;
    }

    /// The node that serves the session.
    pub(super) fn route(&self) -> Option<&str> {
        self.session.as_ref()?.route()
    }

    /// Performs one step: a read, or a write that is repeated with the same version until it is acknowledged.
    pub(super) async fn step(&mut self) -> Result<(), Failure> {
        let read = self.rng.below(READS) == 0;
        match &self.session {
            Some(session) if read && !session.written.is_empty() => self.read().await,
            _ => self.write().await,
        }
    }

    async fn write(&mut self) -> Result<(), Failure> {
        let name = format!("a{}", self.rng.below(NAMES));
        let v = self.next;
        self.next += 1;
        let target = format!("/clusterapp/session?cmd=add&name={name}&size={}&v={v}", size_of(v));
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let cookie = self.session.as_ref().map(|session| session.cookie.as_str());
            let answered = self.connection.send(Method::POST, &target, cookie).await;
            let why = match answered {
                Ok(answer) if answer.status == StatusCode::OK => return self.acknowledged(&name, v, &answer),
                Ok(answer) if answer.status.is_client_error() => {
                    return Err(Failure::Failed(format!("POST {target}: {}", answer.words())));
                }
                Ok(answer) => answer.words(),
                Err(none) => none.to_string(),
            };
            let sid = self.session.as_ref().map(|session| session.sid.clone());
            self.note(ObservationKind::Unknown { sid, name: name.clone(), v, why })?;
            sleep(PAUSE).await;
        }
        Err(Failure::Failed(format!("no write was acknowledged for {} s", PATIENCE.as_secs())))
    }

    fn acknowledged(&mut self, name: &str, v: u64, answer: &ClientResponse) -> Result<(), Failure> {
        let reply = WriteResponse::of(answer)?;
        let sid = reply
            .sid
            .ok_or_else(|| Failure::Failed(format!("a write without a session: {}", answer.words())))?;
        let route = self.route().map(str::to_owned);
        let before = self.session.as_ref().map(|session| session.sid.clone());
        self.note(ObservationKind::Acknowledged {
            sid: sid.clone(),
            name: name.to_owned(),
            v,
            node: reply.node,
            route,
            before: before.clone(),
        })?;
        if before.as_ref() != Some(&sid) {
            self.session = Some(ClientSession { cookie: String::new(), sid, written: BTreeMap::new() });
        }
        if let Some(session) = &mut self.session {
            session.written.insert(name.to_owned(), v);
            session.take_cookie(answer);
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<(), Failure> {
        let Some(session) = &self.session else { return Ok(()) };
        let chosen = self.rng.below(session.written.len() as u64);
        let Some(name) = session.written.keys().nth(chosen as usize).cloned() else { return Ok(()) };
        let target = format!("/clusterapp/session?cmd=show&name={name}&sum=1");
        let answered = self.connection.send(Method::POST, &target, Some(&session.cookie)).await;
        let sid = session.sid.clone();
        match answered {
            Ok(answer) if answer.status == StatusCode::OK => {
                if let Some(session) = &mut self.session {
                    session.take_cookie(&answer);
                }
                self.note(WriteResponse::of(&answer)?.read(sid, name))
            }
            // The read failed without effect; the next request continues.
            _ => {
                sleep(PAUSE).await;
                Ok(())
            }
        }
    }

    fn note(&self, seen: ObservationKind) -> Result<(), Failure> {
        self.log
            .note(seen)
            .map_err(|error| Failure::Failed(format!("the observations cannot be written: {error}")))
    }
}

impl ClientSession {
    /// The route: the text after the last dot of the cookie.
    fn route(&self) -> Option<&str> {
        self.cookie.rsplit_once('.').map(|(_, route)| route)
    }

    fn take_cookie(&mut self, answer: &ClientResponse) {
        if let Some(cookie) = &answer.cookie {
            self.cookie.clone_from(cookie);
        }
    }
}

impl WriteResponse {
    /// Reads the JSON of an answer.
    pub(super) fn of(answer: &ClientResponse) -> Result<Self, Failure> {
        serde_json::from_slice(&answer.body).map_err(|error| {
            Failure::Failed(format!("an answer cannot be read: {error}; {}", answer.words()))
        })
    }

    /// The reading of an attribute of the session `sid`.
    pub(super) fn read(self, sid: String, name: String) -> ObservationKind {
        let Self { node, v, len, fnv, .. } = self;
        ObservationKind::Read { sid, name, node, v, len, fnv }
    }
}
