//! `Session` and `Sessions` as arguments of an axum handler.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use super::answers;
use super::session::Session;
use super::sessions::Sessions;

/// A handler asked for a [`Session`], or for [`Sessions`], on a route that no
/// [`SessionLayer`](super::SessionLayer) is around.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no session layer around this route: add `.layer(cluster.session_layer())` to the router that holds it"
)]
pub struct NoSessionLayer;

impl IntoResponse for NoSessionLayer {
    fn into_response(self) -> Response {
        tracing::error!(error = %self, "a handler asked for a session");
        answers::explained(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Something went wrong here. Please try again later.",
        )
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = NoSessionLayer;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, NoSessionLayer> {
        parts.extensions.get().cloned().ok_or(NoSessionLayer)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Sessions {
    type Rejection = NoSessionLayer;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, NoSessionLayer> {
        parts.extensions.get().cloned().ok_or(NoSessionLayer)
    }
}
