//! Failed requests and their responses. The guest's error text never reaches the client.

use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use wasmtime::PoolConcurrencyLimitError;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;

use super::guest::OverCpuTime;

/// Why a component did not answer. The request's session changes are dropped.
#[derive(Debug, thiserror::Error)]
pub(super) enum GuestFailure {
    #[error("the limits `concurrency` and `queue` are reached")]
    Busy,
    #[error("the request's body is larger than the limit `body`")]
    TooLarge,
    #[error("the request took longer than the limit `request-time`")]
    OverRequestTime,
    #[error("the request computed for longer than the limit `cpu-time`")]
    OverCpuTime,
    #[error("the component set no response")]
    NoResponse,
    #[error("the component answered with an error: {0}")]
    Refused(ErrorCode),
    #[error("the component failed: {0:#}")]
    Trapped(wasmtime::Error),
    #[error("the request cannot be given to a component: {0:#}")]
    BadRequest(wasmtime::Error),
    #[error("the node stops")]
    Stopping,
}

impl GuestFailure {
    /// Classifies an error of the engine.
    pub(super) fn of(error: wasmtime::Error) -> Self {
        if error.is::<OverCpuTime>() {
            Self::OverCpuTime
        } else if error.is::<PoolConcurrencyLimitError>() {
            Self::Busy
        } else {
            Self::Trapped(error)
        }
    }

    /// Logs the failure. Failures that clients can cause at will are logged at level debug.
    pub(super) fn log(&self, app: &str) {
        match self {
            Self::Busy | Self::TooLarge | Self::BadRequest(_) | Self::Stopping => {
                tracing::debug!(app, "{self}")
            }
            _ => tracing::warn!(app, "{self}"),
        }
    }

    fn answer(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "The application is busy. Try again soon.\n"),
            Self::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "The node stops. Try again soon.\n"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "The request's body is too large.\n"),
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, "The request is malformed.\n"),
            Self::OverRequestTime | Self::OverCpuTime => {
                (StatusCode::GATEWAY_TIMEOUT, "The application took too long.\n")
            }
            Self::NoResponse | Self::Refused(_) | Self::Trapped(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "The application failed.\n")
            }
        }
    }
}

impl IntoResponse for GuestFailure {
    fn into_response(self) -> Response {
        let (status, words) = self.answer();
        let mut response = (status, words).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
