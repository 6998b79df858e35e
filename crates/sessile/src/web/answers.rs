//! The answers that the layer gives in the application's place.

use http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};

use super::error::SessionError;
use crate::cluster::host::NotServing;

/// Says that a node did not process a request, so that a balancer may give it to another. Only nodes set it.
pub(crate) const UNPROCESSED: HeaderName = HeaderName::from_static("sessile-unprocessed");
/// Says how many copies hold what the request changed.
pub(crate) const RECEIPT: HeaderName = HeaderName::from_static("sessile-receipt");

const SOON: HeaderValue = HeaderValue::from_static("1");

/// The request was not processed: another node may take it.
pub(crate) fn unprocessed<B: From<String>>(why: &NotServing) -> Response<B> {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, why.to_string());
    response.headers_mut().insert(RETRY_AFTER, SOON);
    response.headers_mut().insert(UNPROCESSED, SOON);
    response
}

/// The request was processed, but the node lost the right to answer before its response could go.
pub(crate) fn outcome_unknown<B: From<String>>() -> Response<B> {
    let why = "this node left the cluster while it processed the request; whether its changes stay is open";
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, why.to_owned());
    response.headers_mut().insert(RETRY_AFTER, SOON);
    response
}

/// The node did not take what the request wrote.
pub(crate) fn refused<B: From<String>>(error: &SessionError) -> Response<B> {
    let mut response = text(error.status(), error.to_string());
    if error.is_passing() {
        response.headers_mut().insert(RETRY_AFTER, SOON);
    }
    response
}

fn text<B: From<String>>(status: StatusCode, message: String) -> Response<B> {
    let mut response = Response::new(B::from(message));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
