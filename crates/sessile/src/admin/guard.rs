//! Guards of the port: requests must name this port, and requests for confidential data need the token.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HOST};
use http::uri::Authority;
use subtle::ConstantTimeEq;

use super::AdminPort;
use super::error::AdminPageError;

/// Refuses requests that a page of another site makes a browser send here by DNS rebinding: their `Host` is the
/// site's name.
pub(super) async fn host(
    State(port): State<AdminPort>,
    request: Request,
    next: Next,
) -> Result<Response, AdminPageError> {
    if !is_own(request.headers(), port.shared.listen) {
        return Err(AdminPageError::ForeignHost);
    }
    Ok(next.run(request).await)
}

/// Refuses requests without the token.
pub(super) async fn token(
    State(port): State<AdminPort>,
    request: Request,
    next: Next,
) -> Result<Response, AdminPageError> {
    let given = bearer(request.headers()).unwrap_or_default();
    let is_given = |token: &String| bool::from(given.as_bytes().ct_eq(token.as_bytes()));
    if !port.shared.tokens.read().iter().any(is_given) {
        return Err(AdminPageError::NoToken);
    }
    Ok(next.run(request).await)
}

/// Whether the only `Host` is a loopback name, the listening address, or (if the port listens on every address) any
/// IP address: the attack needs a name.
fn is_own(headers: &HeaderMap, listen: SocketAddr) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Some(authority) = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()) else {
        return false;
    };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    match name.parse::<IpAddr>() {
        Ok(address) => address.is_loopback() || listen.ip().is_unspecified() || address == listen.ip(),
        Err(_) => name.eq_ignore_ascii_case("localhost"),
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
