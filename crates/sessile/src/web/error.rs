//! What can go wrong between an application and its session.

use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use sessile_core::{BadName, Refusal};

/// Why a session could not be read or written. Each leaves the session as it was before the call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The encoded value is larger than `max_attribute_bytes`.
    #[error(
        "attribute `{name}`: {bytes} bytes are more than max_attribute_bytes = {max}; store less or raise it"
    )]
    AttributeTooLarge {
        /// The attribute.
        name: String,
        /// Size of its encoded value.
        bytes: usize,
        /// What is allowed.
        max: usize,
    },
    /// The session would become larger than `max_session_bytes`.
    #[error("session: {bytes} bytes are more than max_session_bytes = {max}; remove attributes or raise it")]
    SessionTooLarge {
        /// Size that the session would have.
        bytes: usize,
        /// What is allowed.
        max: usize,
    },
    /// The name cannot name an attribute.
    #[error(transparent)]
    BadName(#[from] BadName),
    /// The value cannot be encoded, so it could not travel to another node.
    #[error("attribute `{name}` cannot be encoded: {reason}")]
    NotEncodable {
        /// The attribute.
        name: String,
        /// What the encoder says.
        reason: String,
    },
    /// The attribute is there, but not as the type that was asked for. Others are not affected.
    #[error("attribute `{name}` cannot be decoded: {reason}")]
    NotDecodable {
        /// The attribute.
        name: String,
        /// What the decoder says.
        reason: String,
    },
    /// A handle of the attribute is out: see [`Session::get_mut`](crate::Session::get_mut).
    #[error("attribute `{name}` is already being changed in place; drop the first handle before")]
    Lent {
        /// The attribute.
        name: String,
    },
    /// The attribute stays on this node, by `[replication] names`, and such attributes take all bytes they may.
    #[error(
        "attribute `{name}` stays on this node, which has no room for it: such attributes take max_table_bytes = {max}"
    )]
    NoLocalRoom {
        /// The attribute.
        name: String,
        /// What all of them may take.
        max: usize,
    },
    /// The session keeps as many values on this node as it may.
    #[error("`{name}` cannot be kept: the session has {max} local values; remove some")]
    TooManyLocal {
        /// The value's name.
        name: String,
        /// What is allowed.
        max: usize,
    },
    /// The request's path matches the replication filter, so that nothing it does is sent.
    #[error(
        "the session is read-only here: the path matches [replication] filter; write elsewhere or change it"
    )]
    ReadOnly,
    /// The handler has returned its response, and what it wrote is committed; or it was given up.
    #[error("the request is over and its session is closed; write before the handler returns")]
    Committed,
    /// This node holds `max_active` sessions; no further one is made.
    #[error("no room for one more session: max_active is reached; try again later or raise it")]
    Full,
    /// The session ended while the request ran.
    #[error("the session ended while this request ran")]
    Ended,
}

impl SessionError {
    /// The status that tells a client the same.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::AttributeTooLarge { .. } | Self::SessionTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Full | Self::NoLocalRoom { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Ended => StatusCode::CONFLICT,
            Self::BadName(_)
            | Self::NotEncodable { .. }
            | Self::NotDecodable { .. }
            | Self::Lent { .. }
            | Self::TooManyLocal { .. }
            | Self::ReadOnly
            | Self::Committed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<Refusal> for SessionError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Ended => Self::Ended,
            Refusal::Full => Self::Full,
            Refusal::AttributeTooLarge { name, bytes, max } => Self::AttributeTooLarge { name, bytes, max },
            Refusal::SessionTooLarge { bytes, max } => Self::SessionTooLarge { bytes, max },
        }
    }
}

/// For handlers that return `Result<_, SessionError>`: the [`status`](SessionError::status) and the message.
impl IntoResponse for SessionError {
    fn into_response(self) -> Response {
        let mut response = (self.status(), self.to_string()).into_response();
        if self == Self::Full {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
