//! Asks every node's health path again and again.
//!
//! 200 is up; 503 gets no new request; any other answer, none in time, or no connection is down. Requests
//! find a dead node earlier than this does; only this finds it alive again.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, StatusCode, header};
use tokio::time::{sleep, timeout};

use crate::body::RequestBody;
use crate::connection::Connection;
use crate::fleet::Fleet;
use crate::node::{Node, NodeState};
use crate::repeat::Failure;

/// Longest wait for the answer of the health path, connecting included.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// Shortest pause between two checks of a node, however many requests ask for one.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);

/// Which path to ask, and how often.
#[derive(Debug, Clone)]
pub(crate) struct Checks {
    pub(crate) path: String,
    pub(crate) interval: Duration,
}

/// Checks one node for ever.
pub(crate) async fn watch(fleet: Arc<Fleet>, index: usize, checks: Checks) {
    loop {
        check(&fleet, index, &checks.path).await;
        let wake_up = &fleet.nodes()[index].recheck;
        if timeout(checks.interval, wake_up.notified()).await.is_ok() {
            sleep(SHORTEST_PAUSE.min(checks.interval)).await;
        }
    }
}

/// Checks one node once.
pub(crate) async fn check(fleet: &Fleet, index: usize, path: &str) {
    let node = &fleet.nodes()[index];
    match timeout(CHECK_TIMEOUT, ask(node, path)).await {
        Ok(Ok(StatusCode::OK)) => fleet.set_state(index, NodeState::Up, "ready"),
        Ok(Ok(StatusCode::SERVICE_UNAVAILABLE)) => {
            fleet.set_state(index, NodeState::Draining, "it says that it is not ready");
        }
        Ok(Ok(other)) => fleet.set_state(index, NodeState::Down, &format!("its health path answers {other}")),
        Ok(Err(failure)) => report(fleet, index, &failure),
        Err(_) => fleet.set_state(index, NodeState::Down, "its health path does not answer"),
    }
}

/// Records what a failure says about its node: a lost connection is down, but that this process has no file
/// or port left is not the node's fault.
pub(crate) fn report(fleet: &Fleet, index: usize, failure: &Failure) {
    use std::io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable, TimedOut,
    };
    const GONE: [std::io::ErrorKind; 6] = [
        ConnectionAborted,
        ConnectionRefused,
        ConnectionReset,
        HostUnreachable,
        NetworkUnreachable,
        TimedOut,
    ];
    match failure {
        Failure::NotConnected(cause) if !GONE.contains(&cause.kind()) => {
            tracing::warn!(node = %fleet.nodes()[index].name, %cause, "could not try to connect to the node");
        }
        _ => fleet.set_state(index, NodeState::Down, &failure.to_string()),
    }
}

async fn ask(node: &Node, path: &str) -> Result<StatusCode, Failure> {
    let mut connection = Connection::open(&node.address).await.map_err(Failure::NotConnected)?;
    let mut request = Request::new(RequestBody::empty());
    *request.uri_mut() = path.parse().unwrap_or_default();
    let host = node.address.parse().unwrap_or(header::HeaderValue::from_static("localhost"));
    request.headers_mut().insert(header::HOST, host);
    request.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    Ok(connection.send(request, CHECK_TIMEOUT).await?.status())
}
