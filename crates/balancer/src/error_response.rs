//! The balancer's own answers: what it says when no node answered.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};

use crate::body::{BodyError, ResponseBody};

/// A request that no node answered: the status, and in words why.
#[derive(Debug)]
pub(crate) struct ErrorResponse {
    status: StatusCode,
    text: String,
    /// Whether the client may well send it again: it did no harm, and a node may be ready soon.
    retry: bool,
}

impl ErrorResponse {
    /// The request cannot be passed on.
    pub(crate) fn bad_request(why: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, text: why.into(), retry: false }
    }

    /// No node took it: it is certain that it was not processed, and worth another try.
    pub(crate) fn no_node(why: String) -> Self {
        Self { status: StatusCode::SERVICE_UNAVAILABLE, text: why, retry: true }
    }

    /// A node had it and did not answer.
    pub(crate) fn bad_gateway(why: String) -> Self {
        Self { status: StatusCode::BAD_GATEWAY, text: why, retry: false }
    }

    /// Every node had it, none answered, and it changes nothing.
    pub(crate) fn lost_everywhere(why: String) -> Self {
        Self { status: StatusCode::BAD_GATEWAY, text: why, retry: true }
    }

    /// A node had it and kept silent.
    pub(crate) fn timeout(why: String) -> Self {
        Self { status: StatusCode::GATEWAY_TIMEOUT, text: why, retry: false }
    }

    pub(crate) fn into_response(self) -> Response<ResponseBody> {
        tracing::debug!(status = %self.status, why = %self.text, "the balancer answers itself");
        let client_error = self.status.is_client_error();
        let mut response = Response::new(ResponseBody::Text(Bytes::from(self.text + "\n")));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        if client_error {
            // Where its next request would begin is uncertain.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        } else if self.retry {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<BodyError> for ErrorResponse {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Slow => Self {
                status: StatusCode::REQUEST_TIMEOUT,
                text: "the request's body did not come in time".into(),
                retry: false,
            },
            BodyError::Broken(cause) => Self::bad_request(format!("the request's body is broken: {cause}")),
        }
    }
}
