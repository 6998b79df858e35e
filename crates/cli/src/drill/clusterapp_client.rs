//! Sends requests to clusterapp, as operations of a history.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use http::{Method, StatusCode};
use serde::Deserialize;
use sessile_apps::clusterapp::payload;
use sessile_history::{Action, Attribute, OperationOutcome, Seen};

use crate::connection::{ClientResponse, Connection, ConnectionError};

/// A client's connections to all targets, with one request at a time.
pub(super) struct ClusterappClient {
    doors: Vec<Connection>,
    answered: bool,
}

/// The result of a request.
#[derive(Debug, Default)]
pub(super) struct OperationResult {
    pub(super) outcome: Option<OperationOutcome>,
    pub(super) node: Option<String>,
    pub(super) sid: Option<String>,
    pub(super) cookie: Option<String>,
    pub(super) copies: Option<u32>,
    pub(super) seen: Option<Seen>,
    pub(super) damaged: Vec<Attribute>,
}

/// Attributes with version, length and checksum.
type ListedAttributes = BTreeMap<String, (Option<u64>, u64, Option<u32>)>;

/// The JSON body of a response.
#[derive(Deserialize)]
struct ResponseBody {
    node: String,
    sid: Option<String>,
    new: Option<bool>,
    attrs: Option<ListedAttributes>,
}

impl ClusterappClient {
    pub(super) fn new(doors: &[SocketAddr], patience: Duration) -> Self {
        let doors = doors.iter().map(|at| Connection::with_patience(*at, patience)).collect();
        Self { doors, answered: true }
    }

    /// Number of targets.
    pub(super) fn doors(&self) -> usize {
        self.doors.len()
    }

    /// Sends the action to the target `door`; `canary` is the canary of a new session.
    pub(super) async fn ask(
        &mut self,
        door: usize,
        action: &Action,
        canary: u64,
        cookie: Option<&str>,
    ) -> OperationResult {
        let target = format!("/clusterapp/session?cmd={}", command(action, canary));
        let reply = match self.doors[door].send(Method::POST, &target, cookie).await {
            Ok(answer) => OperationResult::of(&answer, action),
            Err(ConnectionError::Unconnected(_)) => OperationResult::nothing(OperationOutcome::Failed),
            Err(_) => OperationResult::nothing(OperationOutcome::Unknown),
        };
        self.answered = !matches!(reply.outcome, Some(OperationOutcome::Failed | OperationOutcome::Unknown));
        reply
    }

    /// Whether the last request has a known outcome.
    pub(super) fn was_answered(&self) -> bool {
        self.answered
    }
}

/// The command of clusterapp for an action.
fn command(action: &Action, canary: u64) -> String {
    match action {
        Action::Create => format!("add&name={}&size={}&v={canary}", Attribute::Canary, size_of(canary)),
        Action::Write(writes) => match writes.as_slice() {
            [(name, Some(v))] => format!("add&name={name}&size={}&v={v}", size_of(*v)),
            [(name, None)] => format!("remove&name={name}"),
            // Only p0 and p1 are written together, with one value.
            pair => {
                let v = pair.first().and_then(|(_, v)| *v).unwrap_or_default();
                format!("add&name=p&count={}&size={}&v={v}", pair.len(), size_of(v))
            }
        },
        Action::Logout => "invalidate".to_owned(),
        Action::Read | Action::Login(..) => "show&sum=1".to_owned(),
    }
}

/// Size of the value `v`, known to every reader: 16 to 527 bytes.
fn size_of(v: u64) -> usize {
    16 + (v.wrapping_mul(0x9E37_79B9) % 512) as usize
}

impl OperationResult {
    fn nothing(outcome: OperationOutcome) -> Self {
        Self { outcome: Some(outcome), ..Self::default() }
    }

    fn of(answer: &ClientResponse, action: &Action) -> Self {
        if answer.status != StatusCode::OK {
            let outcome =
                if answer.unprocessed { OperationOutcome::Failed } else { OperationOutcome::Unknown };
            return Self::nothing(outcome);
        }
        // A response that is not clusterapp's leaves the outcome unknown.
        let Ok(reply) = serde_json::from_slice::<ResponseBody>(&answer.body) else {
            return Self::nothing(OperationOutcome::Unknown);
        };
        let is_other = reply.new == Some(true) && !matches!(action, Action::Create);
        let is_gone = reply.sid.is_none() && !matches!(action, Action::Logout);
        let outcome = if is_other || is_gone { OperationOutcome::Absent } else { OperationOutcome::Ok };
        let reads = matches!(action, Action::Read) && outcome == OperationOutcome::Ok;
        let (seen, damaged) = read(reply.attrs.filter(|_| reads).unwrap_or_default());
        Self {
            outcome: Some(outcome),
            node: Some(reply.node),
            sid: reply.sid,
            cookie: answer.cookie.clone(),
            copies: answer.receipt.as_deref().and_then(copies),
            seen: reads.then_some(seen),
            damaged,
        }
    }
}

/// The readings, and the attributes whose bytes differ from the written ones.
fn read(attributes: ListedAttributes) -> (Seen, Vec<Attribute>) {
    let (mut seen, mut damaged) = (Seen::new(), Vec::new());
    for (name, (v, len, fnv)) in attributes {
        let Ok(attribute) = name.parse() else { continue };
        let v = v.unwrap_or_default();
        let whole = payload::payload(v, size_of(v));
        if len != whole.len() as u64 || fnv != Some(payload::fnv(&whole)) {
            damaged.push(attribute);
        }
        seen.insert(attribute, v);
    }
    (seen, damaged)
}

/// The number of copies in a receipt such as `copies=2/3 degraded`.
fn copies(receipt: &str) -> Option<u32> {
    receipt.strip_prefix("copies=")?.split('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_become_commands() {
        let register = Attribute::Register(1);
        assert_eq!(command(&Action::Write(vec![(register, None)]), 0), "remove&name=r1");
        let pair = Action::Write(vec![(Attribute::Pair(0), Some(0)), (Attribute::Pair(1), Some(0))]);
        assert_eq!(command(&pair, 0), "add&name=p&count=2&size=16&v=0");
        assert_eq!(command(&Action::Create, 0), "add&name=c&size=16&v=0");
    }

    #[test]
    fn copies_parses_a_receipt() {
        assert_eq!(
            (copies("copies=2/3 degraded"), copies("copies=3/3"), copies("")),
            (Some(2), Some(3), None)
        );
    }

    #[test]
    fn differing_bytes_are_damage() {
        let size = size_of(5) as u64;
        let right = Some(payload::fnv(&payload::payload(5, size_of(5))));
        let good = BTreeMap::from([("r0".to_owned(), (Some(5), size, right))]);
        assert_eq!(read(good), (Seen::from([(Attribute::Register(0), 5)]), vec![]));
        let bad = BTreeMap::from([("r0".to_owned(), (Some(5), size, Some(1)))]);
        assert_eq!(read(bad).1, [Attribute::Register(0)]);
    }
}
