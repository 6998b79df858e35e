//! Errors of the admin port, answered as JSON.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, StatusCode};
use serde::Serialize;

/// The errors.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdminPageError {
    #[error("{0}")]
    BadQuery(String),
    #[error(
        "this page needs the header `Authorization: Bearer TOKEN`; `sessile secret token --config FILE` prints TOKEN"
    )]
    NoToken,
    #[error(
        "the `Host` of the request is not this port's: use its address, or localhost, or list the name in \
         `allowed_hosts` of [admin]"
    )]
    ForeignHost,
    #[error(
        "there is no such page; there are /healthz, /readyz, /metrics, /members, /sessions, /status, /top and /events"
    )]
    NoSuchPage,
    #[error("wrong method: read with GET, change with POST")]
    WrongMethod,
    #[error("this node has not joined its cluster yet; /readyz says when it has")]
    NotJoined,
    #[error("there are 16 readers of /events already")]
    TooManyReaders,
    #[error("this service does not accept stop requests: stop it where it was started")]
    NotStoppable,
    #[error("{0}")]
    Failed(String),
}

impl AdminPageError {
    fn status(&self) -> StatusCode {
        match self {
            Self::BadQuery(_) => StatusCode::BAD_REQUEST,
            Self::NoToken => StatusCode::UNAUTHORIZED,
            Self::ForeignHost => StatusCode::FORBIDDEN,
            Self::NoSuchPage => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotJoined | Self::TooManyReaders => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotStoppable => StatusCode::NOT_IMPLEMENTED,
            Self::Failed(_) => StatusCode::CONFLICT,
        }
    }

    /// The header that the status requires.
    fn header(&self) -> Option<(HeaderName, &'static str)> {
        match self {
            Self::NoToken => Some((WWW_AUTHENTICATE, "Bearer")),
            Self::NotJoined => Some((RETRY_AFTER, "1")),
            // The router adds the allowed methods.
            Self::BadQuery(_)
            | Self::ForeignHost
            | Self::NoSuchPage
            | Self::WrongMethod
            | Self::NotStoppable
            | Self::TooManyReaders
            | Self::Failed(_) => None,
        }
    }
}

#[derive(Serialize)]
struct ErrorBody {
    error: String,
}

impl IntoResponse for AdminPageError {
    fn into_response(self) -> Response {
        (self.status(), self.header().map(|header| [header]), Json(ErrorBody { error: self.to_string() }))
            .into_response()
    }
}
