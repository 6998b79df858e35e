//! May a request be sent to another node? Pure. The rule that keeps a request from being processed twice:
//! only if no node can have processed it, or if it is a GET or HEAD that got no byte of an answer on a path
//! that is not marked unsafe.

use std::fmt;
use std::io;

use http::Method;
use sessile_http_server::RequestBodyError;

/// Why a node did not answer a request.
#[derive(Debug)]
pub(crate) enum AttemptError {
    /// There was no connection to it.
    NotConnected(io::Error),
    /// The connection ended before a byte of the request was written.
    NotSent(hyper::Error),
    /// It answered that it did not process the request.
    Unprocessed,
    /// The connection ended after the request, or a part of it, was written and before any byte of the
    /// answer.
    NoAnswer(hyper::Error),
    /// The connection ended, or made no sense, within the head of the answer.
    BrokenAnswer(hyper::Error),
    /// It kept silent for longer than is waited for an answer.
    Silent,
    /// The client's body broke off, or came too slowly, while it was being passed on.
    ClientFailed(ClientFailure),
    /// It went down while no byte of its answer had come.
    NodeLost,
}

impl fmt::Display for AttemptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected(cause) => write!(f, "no connection ({cause})"),
            Self::NotSent(cause) => write!(f, "the connection ended before the request was sent ({cause})"),
            Self::Unprocessed => write!(f, "not ready (it did not process the request)"),
            Self::NoAnswer(cause) => write!(f, "the connection ended before an answer came ({cause})"),
            Self::BrokenAnswer(cause) => write!(f, "the answer broke off ({cause})"),
            Self::Silent => write!(f, "no answer in time"),
            Self::ClientFailed(cause) => {
                write!(f, "the client did not send all of its body ({})", cause.text)
            }
            Self::NodeLost => write!(f, "it went down before an answer came"),
        }
    }
}

/// Why a client did not send all of its body.
#[derive(Debug)]
pub(crate) struct ClientFailure {
    pub(crate) text: String,
    /// It was too slow; else the body broke off.
    pub(crate) is_slow: bool,
}

impl ClientFailure {
    /// The client's fault in an error of the connection to a node, if the client caused it.
    pub(crate) fn of(error: &hyper::Error) -> Option<Self> {
        let cause = std::error::Error::source(error).filter(|_| error.is_user())?;
        let is_slow = matches!(cause.downcast_ref(), Some(RequestBodyError::Slow(_)));
        Some(Self { text: cause.to_string(), is_slow })
    }
}

/// The facts about a request that the rule uses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    /// Its whole body is at hand, so that it can be sent again.
    pub(crate) replayable: bool,
    /// It changes nothing, so that processing it twice does no harm: see [`is_safe`].
    pub(crate) safe: bool,
}

impl Request {
    /// Whether it may be sent again though a node may have begun it.
    pub(crate) fn is_repeatable(self) -> bool {
        self.replayable && self.safe
    }
}

impl AttemptError {
    /// Whether the node may have begun the request.
    pub(crate) fn may_have_begun(&self) -> bool {
        !matches!(self, Self::NotConnected(_) | Self::NotSent(_) | Self::Unprocessed | Self::ClientFailed(_))
    }
}

/// Whether the request may go to another node after this failure.
pub(crate) fn may_retry(failure: &AttemptError, request: Request) -> bool {
    match failure {
        // The body is handed over only once there is a connection.
        AttemptError::NotConnected(_) => true,
        AttemptError::NotSent(_) | AttemptError::Unprocessed => request.replayable,
        AttemptError::NoAnswer(_) | AttemptError::NodeLost => request.is_repeatable(),
        AttemptError::BrokenAnswer(_) | AttemptError::ClientFailed(_) | AttemptError::Silent => false,
    }
}

/// GET and HEAD outside of the unsafe paths. A path that could be another spelling of an unsafe one (escapes,
/// empty or dot segments) counts as unsafe, whatever the node makes of it.
pub(crate) fn is_safe(method: &Method, path: &str, unsafe_paths: &[String]) -> bool {
    let plain = !(path.contains('%') || path.contains("//") || path.contains("/."));
    (method == Method::GET || method == Method::HEAD)
        && (unsafe_paths.is_empty() || plain)
        && !unsafe_paths.iter().any(|prefix| is_under(path, prefix))
}

/// Whether a path is the prefix or below it; `/clusterapps` is not under `/clusterapp`.
fn is_under(path: &str, prefix: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ';']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn safe(method: &Method, path: &str) -> bool {
        is_safe(method, path, &["/clusterapp".into(), "/jobs/".into()])
    }

    #[test]
    fn only_get_and_head_outside_of_unsafe_paths_are_safe() {
        for path in ["/", "/shop", "/clusterapps", "/a/clusterapp", "/jobs2"] {
            assert!(safe(&Method::GET, path) && safe(&Method::HEAD, path), "{path}");
            assert!(!safe(&Method::POST, path) && !safe(&Method::PUT, path) && !safe(&Method::DELETE, path));
        }
        for path in ["/clusterapp", "/clusterapp/", "/clusterapp/add", "/clusterapp;x=1", "/jobs", "/jobs/1"]
        {
            assert!(!safe(&Method::GET, path), "{path}");
        }
        assert!(!is_safe(&Method::GET, "/any", &["/".into()]));
    }

    #[test]
    fn another_spelling_of_an_unsafe_path_is_unsafe() {
        for path in ["/%63lusterapp", "//clusterapp", "/x/../clusterapp", "/./clusterapp"] {
            assert!(!safe(&Method::GET, path), "{path}");
        }
    }

    #[test]
    fn what_may_have_been_processed_is_repeated_only_when_safe() {
        let refused = || AttemptError::NotConnected(io::ErrorKind::ConnectionRefused.into());
        for (replayable, safe) in [(true, true), (true, false), (false, true), (false, false)] {
            let request = Request { replayable, safe };
            assert!(may_retry(&refused(), request));
            assert_eq!(may_retry(&AttemptError::Unprocessed, request), replayable);
            assert!(!may_retry(&AttemptError::Silent, request));
        }
    }
}
