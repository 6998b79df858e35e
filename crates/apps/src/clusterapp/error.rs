//! Errors of clusterapp.

use std::convert::Infallible;

use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use sessile::SessionError;

/// An error for the client; `render` writes it as JSON or as a page.
#[derive(Clone, Debug)]
pub(super) struct ClusterappError {
    pub(super) status: StatusCode,
    /// The problem and the remedy.
    pub(super) message: String,
    /// The same request may succeed a second later.
    pub(super) passing: bool,
}

impl ClusterappError {
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), passing: status == StatusCode::SERVICE_UNAVAILABLE }
    }
}

/// Turns a response that carries an error into an `Err`.
pub(super) async fn refuse(mut response: Response) -> Result<Response, ClusterappError> {
    match response.extensions_mut().remove::<ClusterappError>() {
        Some(problem) => Err(problem),
        None => Ok(response),
    }
}

impl From<Infallible> for ClusterappError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<SessionError> for ClusterappError {
    fn from(error: SessionError) -> Self {
        match error {
            // The name came from the client.
            SessionError::BadName(name) => Self::bad_request(name.to_string()),
            error => Self::new(error.status(), error.to_string()),
        }
    }
}

impl IntoResponse for ClusterappError {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if self.passing {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response.extensions_mut().insert(self);
        response
    }
}
