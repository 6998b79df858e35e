//! Why the admin port does not tell what it was asked, as JSON in words.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, StatusCode};
use serde::Serialize;

/// The reasons.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("{0}")]
    BadQuestion(String),
    #[error(
        "this page wants the header `Authorization: Bearer TOKEN`; `sessile secret token --config FILE` prints TOKEN"
    )]
    NoToken,
    #[error("the `Host` of the request is not this port's: ask by its address, or as localhost")]
    ForeignHost,
    #[error("there is no such page; there are /healthz, /readyz, /metrics, /members, /sessions and /status")]
    NoSuchPage,
    #[error("not by this method: what tells is asked by GET, what changes something by POST")]
    WrongMethod,
    #[error("this node has not joined its cluster yet; /readyz says when it has")]
    NotJoined,
    #[error("this service cannot be stopped by request: whoever started it stops it")]
    NotStoppable,
    #[error("{0}")]
    Failed(String),
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::BadQuestion(_) => StatusCode::BAD_REQUEST,
            Self::NoToken => StatusCode::UNAUTHORIZED,
            Self::ForeignHost => StatusCode::FORBIDDEN,
            Self::NoSuchPage => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotJoined => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotStoppable => StatusCode::NOT_IMPLEMENTED,
            Self::Failed(_) => StatusCode::CONFLICT,
        }
    }

    /// The header that such a status demands.
    fn header(&self) -> Option<(HeaderName, &'static str)> {
        match self {
            Self::NoToken => Some((WWW_AUTHENTICATE, "Bearer")),
            Self::NotJoined => Some((RETRY_AFTER, "1")),
            // The router says which methods are allowed.
            Self::BadQuestion(_)
            | Self::ForeignHost
            | Self::NoSuchPage
            | Self::WrongMethod
            | Self::NotStoppable
            | Self::Failed(_) => None,
        }
    }
}

#[derive(Serialize)]
struct Told {
    error: String,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status(), self.header().map(|header| [header]), Json(Told { error: self.to_string() }))
            .into_response()
    }
}
