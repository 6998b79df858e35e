//! Why the admin port does not do what it was asked, as JSON in words.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse, Response};
use http::header::WWW_AUTHENTICATE;
use http::{HeaderName, StatusCode};
use serde::Serialize;

use crate::control::ControlError;

/// The body of a request, as JSON of this type; or why it is not.
pub(super) type Asked<T> = Result<Json<T>, JsonRejection>;

/// The reasons.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdminError {
    #[error("{}", .0.body_text())]
    BadBody(#[from] JsonRejection),
    #[error(transparent)]
    BackendControl(#[from] ControlError),
    #[error(
        "this page wants the header `Authorization: Bearer TOKEN`; `sessile balance token --config FILE` prints TOKEN"
    )]
    NoToken,
    #[error("this balancer was started without a file: there is nothing to be read again")]
    NoFile,
    #[error("{0}; nothing has changed")]
    NotReloaded(String),
    #[error("the `Host` of the request is not this port's: ask by its address, or as localhost")]
    ForeignHost,
    #[error(
        "there is no such page; there are /, /stats, /healthz, /metrics, /nodes, /reload and below /nodes/NAME/ remove, weight, drain and resume"
    )]
    NoSuchPage,
    #[error("this page wants another method: what tells is GET, what changes is POST")]
    WrongMethod,
}

impl AdminError {
    fn status(&self) -> StatusCode {
        match self {
            Self::BadBody(rejection) => rejection.status(),
            Self::BackendControl(ControlError::Unknown { .. }) | Self::NoSuchPage => StatusCode::NOT_FOUND,
            Self::BackendControl(ControlError::Value(_)) => StatusCode::BAD_REQUEST,
            Self::BackendControl(_) => StatusCode::CONFLICT,
            Self::NoToken => StatusCode::UNAUTHORIZED,
            Self::NoFile => StatusCode::CONFLICT,
            Self::NotReloaded(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::ForeignHost => StatusCode::FORBIDDEN,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    /// The header that such a status demands.
    fn header(&self) -> Option<(HeaderName, &'static str)> {
        matches!(self, Self::NoToken).then_some((
            WWW_AUTHENTICATE,
            "Basic realm=\"sessile balancer: any name, the token as password\"",
        ))
    }
}

#[derive(Serialize)]
struct Told {
    error: String,
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        (self.status(), self.header().map(|header| [header]), Json(Told { error: self.to_string() }))
            .into_response()
    }
}
