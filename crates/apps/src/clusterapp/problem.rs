//! Why a request is not answered with facts.

use std::convert::Infallible;

use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use sessile::SessionError;

/// An error as the client is told it; `render` writes it as JSON or as a page.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    /// What is wrong and what would be right.
    pub(super) message: String,
    /// The same request may succeed a second later.
    pub(super) passing: bool,
}

impl Problem {
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), passing: status == StatusCode::SERVICE_UNAVAILABLE }
    }
}

/// Makes an error of a response that tells of a problem.
pub(super) async fn refuse(mut response: Response) -> Result<Response, Problem> {
    match response.extensions_mut().remove::<Problem>() {
        Some(problem) => Err(problem),
        None => Ok(response),
    }
}

impl From<Infallible> for Problem {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        match error {
            // Here a name is what the client sent.
            SessionError::BadName(name) => Self::bad_request(name.to_string()),
            error => Self::new(error.status(), error.to_string()),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        if self.passing {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response.extensions_mut().insert(self);
        response
    }
}
