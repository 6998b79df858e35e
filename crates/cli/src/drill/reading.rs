//! The final reading: every session, on each node.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use sessile_history::{Action, Holding, OperationOutcome, Seen, SessionId};
use tokio::time::sleep;

use super::browser::Browser;
use super::clusterapp_client::ClusterappClient;
use super::history_recorder::HistoryRecorder;
use super::target::Targets;
use crate::failure::Failure;

/// Parallel readers of one node.
const READERS: usize = 8;
/// Longest wait for a node's answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pause before the next attempt.
const PAUSE: Duration = Duration::from_millis(100);
/// Differing sessions are read again for this long: a request without a waiting client may still run.
const SETTLING: Duration = Duration::from_secs(15);

/// Sessions with their clients' last cookies.
type Cookies = BTreeMap<SessionId, String>;
/// The sessions of one node.
type Copies = BTreeMap<SessionId, Seen>;

/// Reads every session of every client on every node, and records the sessions found.
pub(super) async fn read_all(
    browsers: Vec<Browser>,
    targets: &Targets,
    recorder: &HistoryRecorder,
) -> Result<(), Failure> {
    let cookies: Cookies = browsers.into_iter().flat_map(|browser| browser.had).collect();
    let (nodes, began) = (targets.readable(), Instant::now());
    let mut copies = vec![Copies::new(); nodes.len()];
    let mut doubtful = cookies.clone();
    while !doubtful.is_empty() {
        for ((name, at), copies) in nodes.iter().zip(&mut copies) {
            copies.retain(|session, _| !doubtful.contains_key(session));
            copies.extend(read(name, *at, &doubtful, recorder).await?);
        }
        let differ =
            |session: &SessionId| copies.windows(2).any(|pair| pair[0].get(session) != pair[1].get(session));
        doubtful = cookies
            .iter()
            .filter(|(session, _)| differ(session))
            .map(|(id, cookie)| (*id, cookie.clone()))
            .collect();
        if began.elapsed() > SETTLING {
            break;
        }
        sleep(PAUSE).await;
    }
    let at = recorder.now();
    let holding = |((name, _), sessions): (&(String, SocketAddr), Copies)| {
        Some(Holding { process: recorder.process(name)?, at, sessions })
    };
    recorder.hold(nodes.iter().zip(copies).filter_map(holding).collect());
    Ok(())
}

/// Reads these sessions on one node.
async fn read(
    name: &str,
    at: SocketAddr,
    cookies: &Cookies,
    recorder: &HistoryRecorder,
) -> Result<Copies, Failure> {
    let cookies: Vec<_> = cookies.iter().collect();
    let parts = cookies.chunks(cookies.len().div_ceil(READERS).max(1));
    let read = try_join_all(parts.map(|part| read_part(name, at, part, recorder))).await?;
    Ok(read.into_iter().flatten().collect())
}

async fn read_part(
    name: &str,
    at: SocketAddr,
    cookies: &[(&SessionId, &String)],
    recorder: &HistoryRecorder,
) -> Result<Copies, Failure> {
    let (mut link, mut copies) = (ClusterappClient::new(&[at], PATIENCE), Copies::new());
    for (session, cookie) in cookies {
        if let Some(seen) = read_one(name, &mut link, **session, cookie, recorder).await? {
            copies.insert(**session, seen);
        }
    }
    Ok(copies)
}

async fn read_one(
    name: &str,
    link: &mut ClusterappClient,
    session: SessionId,
    cookie: &str,
    recorder: &HistoryRecorder,
) -> Result<Option<Seen>, Failure> {
    let began = Instant::now();
    loop {
        let reply = link.ask(0, &Action::Read, 0, Some(cookie)).await;
        match reply.outcome {
            Some(OperationOutcome::Ok | OperationOutcome::Absent) if reply.damaged.is_empty() => {
                return Ok(reply.seen);
            }
            Some(OperationOutcome::Ok) => {
                // The history keeps damage with an operation, so record one.
                let id = recorder.sending(u32::MAX, session, Action::Read);
                recorder.ended(id, Some(name), |operation| operation.damaged.clone_from(&reply.damaged));
                return Ok(reply.seen);
            }
            _ if began.elapsed() > PATIENCE => {
                let seconds = PATIENCE.as_secs();
                return Err(Failure::Failed(format!("{name} did not show a session for {seconds} s")));
            }
            _ => sleep(PAUSE).await,
        }
    }
}
