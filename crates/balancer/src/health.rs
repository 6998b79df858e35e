//! Asks every node's health path again and again, or connects where there is none.
//!
//! 200, or a connection, is up; 503 gets nothing new; any other answer, none in time, or no connection is
//! down. Clients find a dead node earlier than this does; only this finds it alive again.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use http::{Request, StatusCode, header};
use tokio::time::{sleep, timeout};

use crate::body::RequestBody;
use crate::config::Protocol;
use crate::connection::Connection;
use crate::dial::dial;
use crate::fleet::Fleet;
use crate::node::{Node, NodeState};
use crate::repeat::Failure;

/// Longest wait for the answer of the health path, connecting included.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// Shortest pause between two checks of a node, however many requests ask for one.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);

/// What to ask, and how often.
#[derive(Debug, Clone)]
pub(crate) struct Checks {
    pub(crate) protocol: Protocol,
    pub(crate) path: String,
    pub(crate) interval: Duration,
}

/// Checks one node until it is removed.
pub(crate) async fn watch(fleet: Arc<Fleet>, node: Arc<Node>, checks: Checks) {
    while !node.removed.load(Relaxed) {
        check(&fleet, &node, &checks).await;
        if timeout(checks.interval, node.recheck.notified()).await.is_ok() {
            sleep(SHORTEST_PAUSE.min(checks.interval)).await;
        }
    }
}

/// Checks one node once.
pub(crate) async fn check(fleet: &Fleet, node: &Arc<Node>, checks: &Checks) {
    let at = match (&node.health, checks.protocol) {
        (Some(health), _) => health,
        (None, Protocol::Http) => &node.address,
        (None, Protocol::Tcp) => return check_connection(fleet, node).await,
    };
    match timeout(CHECK_TIMEOUT, ask(at, &checks.path)).await {
        Ok(Ok(StatusCode::OK)) => fleet.set_state(node, NodeState::Up, "ready"),
        Ok(Ok(StatusCode::SERVICE_UNAVAILABLE)) => {
            fleet.set_state(node, NodeState::Draining, "it says that it is not ready");
        }
        Ok(Ok(other)) => fleet.set_state(node, NodeState::Down, &format!("its health path answers {other}")),
        Ok(Err(failure)) => report(fleet, node, &failure),
        Err(_) => fleet.set_state(node, NodeState::Down, "its health path does not answer"),
    }
}

/// A node of which nothing is known but its port is ready when that takes a connection.
async fn check_connection(fleet: &Fleet, node: &Arc<Node>) {
    match dial(&node.address).await {
        Ok(_) => fleet.set_state(node, NodeState::Up, "it takes connections"),
        Err(cause) => report(fleet, node, &Failure::NotConnected(cause)),
    }
}

/// Records what a failure says about its node: a lost connection is down, but that this process has no file
/// or port left is not the node's fault.
pub(crate) fn report(fleet: &Fleet, node: &Arc<Node>, failure: &Failure) {
    use std::io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkUnreachable, NotFound,
        TimedOut,
    };
    const GONE: [std::io::ErrorKind; 7] = [
        ConnectionAborted,
        ConnectionRefused,
        ConnectionReset,
        HostUnreachable,
        NetworkUnreachable,
        NotFound,
        TimedOut,
    ];
    match failure {
        Failure::NotConnected(cause) if !GONE.contains(&cause.kind()) => {
            tracing::warn!(node = %node.name, %cause, "could not try to connect to the node");
        }
        _ => fleet.set_state(node, NodeState::Down, &failure.to_string()),
    }
}

async fn ask(at: &str, path: &str) -> Result<StatusCode, Failure> {
    let mut connection = Connection::open(at).await.map_err(Failure::NotConnected)?;
    let mut request = Request::new(RequestBody::empty());
    *request.uri_mut() = path.parse().unwrap_or_default();
    let host = at.parse().unwrap_or(header::HeaderValue::from_static("localhost"));
    request.headers_mut().insert(header::HOST, host);
    request.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    Ok(connection.send(request, CHECK_TIMEOUT).await?.status())
}
