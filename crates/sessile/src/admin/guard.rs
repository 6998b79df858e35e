//! Guards of the port: requests must name this port, and requests for confidential data need the token.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HOST};
use http::uri::Authority;
use parking_lot::Mutex;
use subtle::ConstantTimeEq;

use super::challenge::is_proof;
use super::error::AdminPageError;
use super::{AdminPort, Shared};
use crate::status::{Gauge, PartReport};

/// Between two lines of the log about callers that were refused.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// Refuses requests that a page of another site makes a browser send here by DNS rebinding: their `Host` is
/// the site's name.
pub(super) async fn host(
    State(port): State<AdminPort>,
    request: Request,
    next: Next,
) -> Result<Response, AdminPageError> {
    if !is_own(request.headers(), &port.shared) {
        return Err(AdminPageError::ForeignHost);
    }
    Ok(next.run(request).await)
}

/// Marks the requests of a caller that needs no token. Only the transport can set it: no header becomes one.
#[derive(Clone, Copy)]
pub(super) struct ProvenOperator;

/// Callers without a token or proof that is believed.
#[derive(Debug, Default)]
pub(super) struct RefusedCallers {
    count: AtomicU64,
    logged_at: Mutex<Option<Instant>>,
}

impl RefusedCallers {
    /// Counts one, shows the count among the metrics, and logs it at most once a minute.
    fn one_more(&self, port: &AdminPort, path: &str) {
        let count = self.count.fetch_add(1, Relaxed) + 1;
        let help = "requests for confidential admin pages without a token or proof that is believed, since the start";
        let gauges = vec![Gauge { name: "admin_requests_refused", help, value: count }];
        if let Ok(cluster) = port.cluster() {
            cluster.report("admin", PartReport { warnings: Vec::new(), gauges });
        }
        let mut logged_at = self.logged_at.lock();
        if logged_at.is_none_or(|logged_at| logged_at.elapsed() >= TELL_AGAIN) {
            *logged_at = Some(Instant::now());
            tracing::warn!(path, since_start = count, "an admin request had no token that is believed");
        }
    }
}

/// Refuses requests without the token, or a proof that the caller has it.
pub(super) async fn token(
    State(port): State<AdminPort>,
    request: Request,
    next: Next,
) -> Result<Response, AdminPageError> {
    if !is_operator(&port, &request) {
        port.shared.refused.one_more(&port, request.uri().path());
        return Err(AdminPageError::NoToken);
    }
    Ok(next.run(request).await)
}

fn is_operator(port: &AdminPort, request: &Request) -> bool {
    if request.extensions().get::<ProvenOperator>().is_some() {
        return true;
    }
    let is_given = |given: &str, token: &String| bool::from(given.as_bytes().ct_eq(token.as_bytes()));
    match credentials(request.headers()) {
        Some((scheme, given)) if scheme.eq_ignore_ascii_case("bearer") => {
            port.shared.tokens.read().iter().any(|token| is_given(given, token))
        }
        Some((scheme, given)) if scheme.eq_ignore_ascii_case("sessile") => {
            let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
            is_proof(port, given, request.method().as_str(), target)
        }
        _ => false,
    }
}

/// Whether the only `Host` is a loopback name, one of `[admin] allowed_hosts`, the listening address, or (if
/// the port listens on every address) any IP address: the attack needs a name that is not allowed.
fn is_own(headers: &HeaderMap, shared: &Shared) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Some(authority) = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()) else {
        return false;
    };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    match name.parse::<IpAddr>() {
        Ok(address) => {
            let is_listening = |listen: SocketAddr| listen.ip().is_unspecified() || address == listen.ip();
            address.is_loopback() || shared.listen.is_some_and(is_listening)
        }
        Err(_) => {
            let is_named = |host: &String| name.eq_ignore_ascii_case(host);
            name.eq_ignore_ascii_case("localhost") || shared.allowed_hosts.iter().any(is_named)
        }
    }
}

/// The scheme and what follows it.
fn credentials(headers: &HeaderMap) -> Option<(&str, &str)> {
    let (scheme, given) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    Some((scheme, given.trim()))
}
