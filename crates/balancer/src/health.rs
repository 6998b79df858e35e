//! Asks every node's health path again and again, or connects where there is none.
//!
//! 200, or a connection, is up; 503 gets nothing new; any other answer, none in time, or no connection is
//! down. Clients find a dead node earlier than this does; only this finds it alive again.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use http::{Request, StatusCode, header};
use tokio::time::{sleep, timeout};

use crate::backend::{Backend, BackendState};
use crate::backend_connection::Connection;
use crate::backend_pool::BackendPool;
use crate::body::RequestBody;
use crate::config::Protocol;
use crate::dial::dial;
use crate::retry::AttemptError;

/// Longest wait for the answer of the health path, connecting included.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// Shortest pause between two checks of a node, however many requests ask for one.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);

/// What to ask, and how often.
#[derive(Debug, Clone)]
pub(crate) struct HealthCheck {
    pub(crate) protocol: Protocol,
    pub(crate) path: String,
    pub(crate) interval: Duration,
}

/// Checks one node until it is removed.
pub(crate) async fn watch(pool: Arc<BackendPool>, node: Arc<Backend>, checks: HealthCheck) {
    while !node.removed.load(Relaxed) {
        check(&pool, &node, &checks).await;
        if timeout(checks.interval, node.recheck.notified()).await.is_ok() {
            sleep(SHORTEST_PAUSE.min(checks.interval)).await;
        }
    }
}

/// Checks one node once.
pub(crate) async fn check(pool: &BackendPool, node: &Arc<Backend>, checks: &HealthCheck) {
    let at = match (&node.health, checks.protocol) {
        (Some(health), _) => health,
        (None, Protocol::Http) => &node.address,
        (None, Protocol::Tcp) => return check_connection(pool, node).await,
    };
    match timeout(CHECK_TIMEOUT, ask(at, &checks.path)).await {
        Ok(Ok(StatusCode::OK)) => pool.set_state(node, BackendState::Up, "ready"),
        Ok(Ok(StatusCode::SERVICE_UNAVAILABLE)) => {
            pool.set_state(node, BackendState::Draining, "it says that it is not ready");
        }
        Ok(Ok(other)) => {
            pool.set_state(node, BackendState::Down, &format!("its health path answers {other}"))
        }
        Ok(Err(failure)) => report(pool, node, &failure),
        Err(_) => pool.set_state(node, BackendState::Down, "its health path does not answer"),
    }
}

/// A node of which nothing is known but its port is ready when that takes a connection.
async fn check_connection(pool: &BackendPool, node: &Arc<Backend>) {
    match dial(&node.address).await {
        Ok(_) => pool.set_state(node, BackendState::Up, "it takes connections"),
        Err(cause) => report(pool, node, &AttemptError::NotConnected(cause)),
    }
}

/// Records what a failure says about its node: a lost connection is down, but that this process has no file
/// or port left is not the node's fault.
pub(crate) fn report(pool: &BackendPool, node: &Arc<Backend>, failure: &AttemptError) {
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
        AttemptError::NotConnected(cause) if !GONE.contains(&cause.kind()) => {
            tracing::warn!(node = %node.name, %cause, "could not try to connect to the node");
        }
        _ => pool.set_state(node, BackendState::Down, &failure.to_string()),
    }
}

async fn ask(at: &str, path: &str) -> Result<StatusCode, AttemptError> {
    let mut connection = Connection::open(at).await.map_err(AttemptError::NotConnected)?;
    let mut request = Request::new(RequestBody::empty());
    *request.uri_mut() = path.parse().unwrap_or_default();
    let host = at.parse().unwrap_or(header::HeaderValue::from_static("localhost"));
    request.headers_mut().insert(header::HOST, host);
    request.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    Ok(connection.send(request, CHECK_TIMEOUT).await?.status())
}
