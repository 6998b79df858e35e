//! What can go wrong between an application and its session.

use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use sessile_core::{Absent, BadName, Refusal};

use super::answers;
use sessile_node::host::NotServing;

/// Why a session could not be read or written. Each leaves the session as it was before the call.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
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
    /// The cookie that carries the session would become larger than browsers keep.
    #[error(
        "session: its cookie would have {bytes} bytes, more than the {max} that browsers keep; store less in it, or \
         let this application keep its sessions in memory ([session] keep)"
    )]
    CookieTooLarge {
        /// Size that the cookie would have, name and attributes included.
        bytes: usize,
        /// What browsers keep.
        max: usize,
    },
    /// The sessions of this application live in their cookies, and no node has them.
    #[error(
        "the sessions of this application live in their cookies ([session] keep = \"cookie\"): nothing of them stays \
         on a node, and only a request that brings its cookie can open one"
    )]
    InCookie,
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
    AlreadyBorrowed {
        /// The attribute.
        name: String,
    },
    /// The attribute stays on this node, by `[replication] names`, and such attributes take all bytes they
    /// may.
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
    /// The copies on this node take as many bytes as `max_table_bytes` allows; no further session is made,
    /// and none grows.
    #[error(
        "no room: the copies on this node take all of max_table_bytes (a sixteenth of it for each sixteenth of the \
         sessions); try again later or raise it"
    )]
    TableFull,
    /// The other members do not confirm changes as fast as they come, and `[sender]` says that no more are
    /// taken then: no connection of the pool became free, or the queue is full.
    #[error(
        "the changes could not be sent now and nothing of them was kept: the connections to the other nodes are \
         busy or their queues full ([sender] pool_size, max_wait, queue_bytes); try again later"
    )]
    Busy,
    /// The session ended while the request, or the job, ran.
    #[error("the session has ended; what was written to it meanwhile is dropped")]
    Ended,
    /// The request came with a cookie that a login had replaced meanwhile, and `[session] on_superseded` says
    /// that it hears of it.
    #[error("a login replaced the session's cookie; what a request with the old one wrote is dropped")]
    Superseded,
    /// No member knows a session with this key, or it is another application's.
    #[error("no session of this application has this key; it never existed, or ended long ago")]
    Unknown,
    /// Outside of a request there is no browser that could be given a new cookie.
    #[error("change_id works within a request only: elsewhere nobody can be given the new cookie")]
    NoCookie,
    /// This node cannot serve now. Nothing was done.
    #[error(transparent)]
    NotServing(#[from] NotServing),
    /// The changes were sent, but this node left the cluster before it knew what became of them.
    #[error("this node left the cluster meanwhile; whether the changes stay is open")]
    OutcomeUnknown,
}

/// As [`Display`](std::fmt::Display): a `main` that returns it shows it so.
impl std::fmt::Debug for SessionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

impl SessionError {
    /// The status that tells a client the same.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::AttributeTooLarge { .. } | Self::SessionTooLarge { .. } | Self::CookieTooLarge { .. } => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Self::Full
            | Self::TableFull
            | Self::Busy
            | Self::NoLocalRoom { .. }
            | Self::NotServing(_)
            | Self::OutcomeUnknown => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::Ended | Self::Superseded => StatusCode::CONFLICT,
            Self::BadName(_)
            | Self::NotEncodable { .. }
            | Self::NotDecodable { .. }
            | Self::AlreadyBorrowed { .. }
            | Self::TooManyLocal { .. }
            | Self::ReadOnly
            | Self::Committed
            | Self::InCookie
            | Self::NoCookie => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl SessionError {
    /// What a user may know of it.
    fn words(&self) -> &'static str {
        match self.status() {
            StatusCode::PAYLOAD_TOO_LARGE => {
                "This is more than can be kept for you. Remove something and try again."
            }
            StatusCode::SERVICE_UNAVAILABLE => "This cannot be done right now. Please try again in a moment.",
            StatusCode::CONFLICT if *self == Self::Superseded => {
                "You signed in meanwhile, so this was not saved. Please load the page again."
            }
            StatusCode::CONFLICT => "Your session has ended, so this was not saved. Please begin again.",
            StatusCode::NOT_FOUND => "There is no such session.",
            _ => "Something went wrong here. Please try again later.",
        }
    }

    /// The answer in the application's place. What users are not told is logged.
    pub(crate) fn answer<B: From<String>>(&self) -> http::Response<B> {
        if self.status() == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(error = %self, "a handler answered with an error of its session");
        } else {
            tracing::debug!(error = %self, "a request was answered with an error of its session");
        }
        answers::explained(self.status(), self.words())
    }

    /// The answer where the node did not take what the request wrote.
    pub(crate) fn refused<B: From<String>>(&self) -> http::Response<B> {
        let mut response = self.answer();
        if self.is_passing() {
            response.headers_mut().insert(RETRY_AFTER, answers::SOON);
        }
        response
    }

    /// Trying again soon may end differently.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Full | Self::TableFull | Self::Busy)
    }
}

impl From<Refusal> for SessionError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Ended => Self::Ended,
            Refusal::Full => Self::Full,
            Refusal::TableFull | Refusal::NoRoomToGrow => Self::TableFull,
            Refusal::AttributeTooLarge { name, bytes, max } => Self::AttributeTooLarge { name, bytes, max },
            Refusal::SessionTooLarge { bytes, max } => Self::SessionTooLarge { bytes, max },
        }
    }
}

impl From<Absent> for SessionError {
    fn from(absent: Absent) -> Self {
        match absent {
            Absent::Ended => Self::Ended,
            Absent::Unknown | Absent::WrongSecret => Self::Unknown,
            Absent::NoRoom => NotServing::NoRoom.into(),
        }
    }
}

/// For handlers that return `Result<_, SessionError>`: the [`status`](SessionError::status), and a body for
/// the user that says nothing of the inside; the message goes to the log. Where the request accepts
/// `application/problem+json`, the session layer writes the body so (RFC 9457).
impl IntoResponse for SessionError {
    fn into_response(self) -> Response {
        let mut response = self.answer();
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
