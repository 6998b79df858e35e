//! Access to the admin port: a request must name this port, and needs the token for confidential pages.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::header::{AUTHORIZATION, HOST};
use http::uri::Authority;
use http::{HeaderMap, Method};
use subtle::ConstantTimeEq;

use super::BalancerAdmin;
use super::error::AdminError;

/// Refuses requests that a page of another site made a browser send here, by letting the site's name lead to
/// this address: their `Host` is that name.
pub(super) async fn host(
    State(port): State<BalancerAdmin>,
    request: Request,
    next: Next,
) -> Result<Response, AdminError> {
    if !is_own(request.headers(), port.0.listen) {
        return Err(AdminError::ForeignHost);
    }
    Ok(next.run(request).await)
}

/// Refuses requests without the token. A browser gives it as a password, and only to look: another site's
/// page can make it send a change with that password, but never a `Bearer`.
pub(super) async fn token(
    State(port): State<BalancerAdmin>,
    request: Request,
    next: Next,
) -> Result<Response, AdminError> {
    let looks = request.method() == Method::GET || request.method() == Method::HEAD;
    let given = bearer(request.headers()).map(str::to_owned);
    let given = given.or_else(|| password(request.headers()).filter(|_| looks)).unwrap_or_default();
    if !bool::from(given.as_bytes().ct_eq(port.0.token.as_bytes())) {
        return Err(AdminError::NoToken);
    }
    Ok(next.run(request).await)
}

/// Whether the one `Host` is a loopback name, the address that is listened at, or, when that is every address
/// of this machine, any address: the attack needs a name.
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

/// The password of HTTP's basic authentication, whatever the user's name.
fn password(headers: &HeaderMap) -> Option<String> {
    let (scheme, credentials) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let credentials =
        scheme.eq_ignore_ascii_case("basic").then(|| BASE64.decode(credentials.trim()))?.ok()?;
    Some(String::from_utf8(credentials).ok()?.split_once(':')?.1.to_owned())
}
