//! Why a connection ends, and why a request is refused.

use std::io;

use http::StatusCode;

/// Why a connection was closed before the web server closed it.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The peer speaks something else, for example HTTP.
    #[error("this is no AJP packet: does the peer speak HTTP to the AJP port?")]
    NotAjp,
    /// A packet is larger than `packet_size`.
    #[error(
        "a packet of {bytes} bytes is larger than packet_size = {packet_size}: raise it in [ajp] to the \
         max_packet_size of mod_jk or the ProxyIOBufferSize of mod_proxy_ajp"
    )]
    TooLarge {
        /// Bytes of the packet, its head included.
        bytes: usize,
        /// The most that is accepted.
        packet_size: usize,
    },
    /// A packet that does not fit the state of the connection.
    #[error("an unexpected packet of kind {0}")]
    Unexpected(u8),
    /// A packet did not come, or not as a whole, in time.
    #[error("no packet came in time")]
    Silent,
    /// The peer did not take the response in time.
    #[error("the peer took nothing of the response in time")]
    Stuck,
    /// A request was refused; the peer got the status.
    #[error("a request was refused: {0}")]
    Refused(#[from] RequestError),
    /// A response could not be completed. The peer sees that the connection closes before the response ends.
    #[error("the response ended early: {0}")]
    Unfinished(String),
    /// The connection broke.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Why a forward-request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The packet ends within this field.
    #[error("the packet ends within {0}")]
    Truncated(&'static str),
    /// This field holds what it must not.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// More headers than a request may have.
    #[error("the request has {0} headers")]
    TooManyHeaders(u16),
    /// The secret is absent or wrong.
    #[error("the secret is absent or wrong: give the web server the content of secret_file in [ajp]")]
    Unauthenticated,
    /// An attribute that no web server needs to send.
    #[error("the attribute {0:?} is not accepted: remove its JkEnvVar or SetEnv AJP_… from the web server")]
    Attribute(String),
}

impl RequestError {
    /// The status of the client's response.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Truncated(_) | Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::TooManyHeaders(_) => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Unauthenticated | Self::Attribute(_) => StatusCode::FORBIDDEN,
        }
    }
}
