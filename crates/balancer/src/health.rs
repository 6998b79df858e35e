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
use crate::body::OutgoingBody;
use crate::config::Protocol;
use crate::dial::dial;
use crate::retry::AttemptError;
use crate::settings::Settings;

/// Names the balancer that asks: a node may be behind several.
static BALANCER: header::HeaderName = header::HeaderName::from_static("sessile-balancer");
/// Tells a node that drains that this balancer sends it nothing new; the value is the number of requests of
/// this balancer that are still there.
static DRAIN_ACKNOWLEDGED: header::HeaderName = header::HeaderName::from_static("sessile-drain-acknowledged");
/// Longest wait for the answer of the health path, connecting included.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);
/// Time until a port that did not take a datagram is tried again.
const CLOSED_PORT_PAUSE: Duration = Duration::from_secs(10);
/// Shortest pause between two checks of a node, however many requests ask for one.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);

/// Checks one node until it is removed, and drops connections to it that nobody used for long.
pub(crate) async fn watch(pool: Arc<BackendPool>, node: Arc<Backend>) {
    while !node.removed.load(Relaxed) {
        check(&pool, &node).await;
        node.idle.sweep();
        let interval = pool.settings().balance.health_interval;
        if timeout(interval, node.recheck.notified()).await.is_ok() {
            sleep(SHORTEST_PAUSE.min(interval)).await;
        }
    }
}

/// Checks one node once.
pub(crate) async fn check(pool: &BackendPool, node: &Arc<Backend>) {
    let settings = pool.settings();
    let at = match (&node.health, settings.balance.protocol) {
        (Some(health), _) => health,
        (None, Protocol::Http) => &node.address,
        (None, Protocol::Tcp) => return check_connection(pool, node).await,
        (None, Protocol::Udp) => return try_again(pool, node),
    };
    match timeout(CHECK_TIMEOUT, ask(at, &settings, node)).await {
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
    match dial(&node.address, pool.settings().opening(node, None)).await {
        Ok(_) => pool.set_state(node, BackendState::Up, "it takes connections"),
        Err(cause) => report(pool, node, &AttemptError::NotConnected(cause)),
    }
}

/// Nobody can be asked whether a port takes datagrams: it is taken for ready, and after it was found closed
/// it is tried again in a while.
fn try_again(pool: &BackendPool, node: &Arc<Backend>) {
    let is_closed = node.state() == BackendState::Down && node.last_change().at.elapsed() < CLOSED_PORT_PAUSE;
    if !is_closed {
        pool.set_state(node, BackendState::Up, "nothing says that it does not take datagrams");
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

/// Asks the health path. The question names this balancer to the node; to one that drains it says that
/// nothing new comes from here, and how many requests from here still run there. So a node knows when it may
/// close its port.
async fn ask(at: &str, settings: &Settings, node: &Backend) -> Result<StatusCode, AttemptError> {
    let mut opening = settings.opening(node, None);
    if node.health.is_some() {
        // Another port, of which only the health path is known.
        opening.proxy_protocol = None;
    }
    let connection = Connection::open(at, opening, &settings.balance.limits).await;
    let mut connection = connection.map_err(AttemptError::NotConnected)?;
    let mut request = Request::new(OutgoingBody::empty());
    *request.uri_mut() = settings.balance.health_path.parse().unwrap_or_default();
    let host = at.parse().unwrap_or(header::HeaderValue::from_static("localhost"));
    request.headers_mut().insert(header::HOST, host);
    request.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    request.headers_mut().insert(&BALANCER, own_name());
    if node.state() == BackendState::Draining {
        request.headers_mut().insert(&DRAIN_ACKNOWLEDGED, header::HeaderValue::from(node.active_count()));
    }
    let response = connection.send(request, sleep(CHECK_TIMEOUT), std::future::pending()).await?;
    Ok(response.status())
}

/// A name that no other balancer has, drawn when this process began.
fn own_name() -> header::HeaderValue {
    use std::hash::{BuildHasher, RandomState};
    static NAME: std::sync::LazyLock<header::HeaderValue> = std::sync::LazyLock::new(|| {
        let text = format!("{:016x}", RandomState::new().hash_one("balancer"));
        text.parse().unwrap_or(header::HeaderValue::from_static("balancer"))
    });
    NAME.clone()
}
