//! What the head of a request says about its session: whether it may write, and whether the cookie is for
//! https only.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, HeaderName, ORIGIN};
use http::uri::Scheme;
use http::{Method, Request};

use super::app::AppSessions;
use super::session::Access;
use super::settings::SessionSettings;
use sessile_config::Secure;

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// On the paths of the filter a session is read-only, for the requests that fetch pictures and scripts.
pub(crate) fn access<B>(settings: &SessionSettings, request: &Request<B>) -> Access {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
    match &settings.filter {
        Some(filter) if is_safe && filter.matches(request.uri().path()) => Access::ReadOnly,
        _ => Access::ReadWrite,
    }
}

/// Whether a browser asks if it may send another request (CORS preflight). It brings no cookie and keeps
/// none.
pub(crate) fn is_preflight<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    *request.method() == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Whether a cookie set by the answer to `request` is to carry `Secure`.
pub(crate) fn secure<B>(app: &AppSessions, request: &Request<B>) -> bool {
    match app.settings.session.secure {
        Secure::Always => true,
        Secure::Never => false,
        Secure::Auto => request.uri().scheme() == Some(&Scheme::HTTPS) || forwarded_https(app, request),
    }
}

/// Whether a proxy that is trusted says that its client came by https.
fn forwarded_https<B>(app: &AppSessions, request: &Request<B>) -> bool {
    let Some(proto) = request.headers().get(FORWARDED_PROTO) else { return false };
    is_from_trusted_proxy(app, request)
        && proto
            .as_bytes()
            .split(|byte| *byte == b',')
            .next()
            .is_some_and(|first| first.trim_ascii() == b"https")
}

/// Whether what the request says of its client is believed. It must say something: an unknown peer is warned
/// of.
pub(crate) fn is_from_trusted_proxy<B>(app: &AppSessions, request: &Request<B>) -> bool {
    let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>() else {
        app.peer_unknown();
        return false;
    };
    app.settings.trusted_proxies.iter().any(|network| network.contains(peer.ip()))
}
