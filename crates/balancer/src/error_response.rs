//! The balancer's own answers. What a client reads names no node: a status, a sentence, whether to try again,
//! and a reference. What was tried, and why not, is for operators: in the log under that reference, and in a
//! header for clients at the operators' addresses.
//!
//! Next: `error_response/pages.rs` for the pages of the site.

mod pages;

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use parking_lot::Mutex;

use sessile_http_server::RequestBodyError;

use crate::body::ResponseBody;
use crate::retry::ClientFailure;
use crate::settings::Settings;
pub use pages::ErrorPageError;
pub(crate) use pages::{ErrorPages, PAGE_STATUSES};

/// The header for operators: the nodes that were tried, and the reason of each failure.
static DETAIL: HeaderName = HeaderName::from_static("sessile-balancer-detail");
/// Names the answer in the log and on the page.
static REFERENCE: HeaderName = HeaderName::from_static("sessile-balancer-reference");
/// Most lines a second that tell of such answers.
const LOG_LINES_PER_SECOND: u64 = 20;
/// Longest text in the header for operators.
const DETAIL_BOUND: usize = 4_096;

/// A request that the balancer answers itself.
#[derive(Debug)]
pub(crate) struct ErrorResponse {
    pub(crate) status: StatusCode,
    /// For operators: what was tried, and why not.
    detail: String,
    /// Whether the client may well send it again: it did no harm, and a node may be ready soon.
    retry: bool,
}

/// The reader of an error response, and the form that the reader accepts.
pub(crate) struct Reader<'a> {
    pub(crate) settings: &'a Settings,
    /// Its address; nothing where a proxy speaks for it.
    pub(crate) client: Option<IpAddr>,
    /// The headers of its request.
    pub(crate) headers: &'a HeaderMap,
}

impl ErrorResponse {
    /// The request cannot be passed on.
    pub(crate) fn bad_request(why: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, why, false)
    }

    /// No node took it: it is certain that it was not processed, and worth another try.
    pub(crate) fn no_node(why: String) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, why, true)
    }

    /// A node had it and did not answer.
    pub(crate) fn bad_gateway(why: String) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, why, false)
    }

    /// Every node had it, none answered, and it changes nothing.
    pub(crate) fn lost_everywhere(why: String) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, why, true)
    }

    /// The client did not send all of its body.
    pub(crate) fn client_failed(failure: ClientFailure) -> Self {
        let status = if failure.is_slow { StatusCode::REQUEST_TIMEOUT } else { StatusCode::BAD_REQUEST };
        Self::new(status, failure.text, false)
    }

    /// A node had it and kept silent.
    pub(crate) fn timeout(why: String) -> Self {
        Self::new(StatusCode::GATEWAY_TIMEOUT, why, false)
    }

    pub(crate) fn new(status: StatusCode, detail: impl Into<String>, retry: bool) -> Self {
        Self { status, detail: detail.into(), retry }
    }

    /// The answer, and the reference that stands on it.
    pub(crate) fn into_response(self, reader: &Reader<'_>) -> (Response<ResponseBody>, String) {
        let reference = next_reference();
        self.log(&reference);
        let page =
            reader.settings.pages.page(self.status, self.retry, &reference, wants_html(reader.headers));
        let mut response = Response::new(ResponseBody::text(page.text));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, page.content_type);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(reference) = HeaderValue::from_str(&reference) {
            headers.insert(&REFERENCE, reference);
        }
        if self.status.is_client_error() {
            // Where its next request would begin is uncertain.
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        } else if self.retry {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if reader.client.is_some_and(|client| reader.settings.is_operator(client))
            && let Some(detail) = header_text(&self.detail)
        {
            headers.insert(&DETAIL, detail);
        }
        (response, reference)
    }

    /// Clients' errors are the affair of whoever searches for one; what nodes did not answer is an
    /// operator's.
    fn log(&self, reference: &str) {
        let (status, why) = (self.status.as_u16(), self.detail.replace('\n', "; "));
        if self.status.is_client_error() {
            tracing::debug!(status, reference, why, "the balancer refused a request");
            return;
        }
        match LOG_LIMIT.admit(Instant::now()) {
            Some(0) => tracing::warn!(status, reference, why, "the balancer answered for the nodes"),
            Some(suppressed) => {
                tracing::warn!(status, reference, why, suppressed, "the balancer answered for the nodes");
            }
            None => {}
        }
    }
}

impl From<RequestBodyError> for ErrorResponse {
    fn from(error: RequestBodyError) -> Self {
        match error {
            RequestBodyError::Slow(_) => Self::new(StatusCode::REQUEST_TIMEOUT, error.to_string(), false),
            RequestBodyError::Broken(cause) => {
                Self::bad_request(format!("the request's body is broken: {cause}"))
            }
        }
    }
}

/// Whether a client shows HTML: what says so is a browser, what says nothing a program.
fn wants_html(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .any(|accepted| accepted.to_str().is_ok_and(|text| text.contains("text/html")))
}

/// A text as far as a header takes it: on one line, in ASCII.
fn header_text(text: &str) -> Option<HeaderValue> {
    let text: String = text
        .replace('\n', "; ")
        .chars()
        .take(DETAIL_BOUND)
        .map(|character| if matches!(character, ' '..='~') { character } else { '?' })
        .collect();
    HeaderValue::from_str(&text).ok()
}

/// A name for an answer, other than those of all answers before and of other processes.
fn next_reference() -> String {
    use std::hash::{BuildHasher, RandomState};
    use std::sync::LazyLock;
    static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one("reference"));
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{:08x}-{:x}", *PROCESS >> 32, NEXT.fetch_add(1, Relaxed))
}

/// Bounds the lines of one kind in each second.
struct LogLimit(Mutex<Option<Window>>);

struct Window {
    began: Instant,
    lines: u64,
}

static LOG_LIMIT: LogLimit = LogLimit(Mutex::new(None));

impl LogLimit {
    /// Whether a line may be written: how many were not, before the first of a second.
    fn admit(&self, now: Instant) -> Option<u64> {
        let mut window = self.0.lock();
        let current = window.get_or_insert(Window { began: now, lines: 0 });
        if now.saturating_duration_since(current.began) >= Duration::from_secs(1) {
            let suppressed = current.lines.saturating_sub(LOG_LINES_PER_SECOND);
            *current = Window { began: now, lines: 1 };
            return Some(suppressed);
        }
        current.lines += 1;
        (current.lines <= LOG_LINES_PER_SECOND).then_some(0)
    }
}

/// The text of a page and its type.
pub(crate) struct Page {
    pub(crate) text: Bytes,
    pub(crate) content_type: HeaderValue,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_and_the_next_one_says_how_many_are_missing() {
        let (limit, now) = (LogLimit(Mutex::new(None)), Instant::now());
        let admitted = (0..100).filter(|_| limit.admit(now).is_some()).count() as u64;
        assert_eq!(admitted, LOG_LINES_PER_SECOND);
        let later = now + Duration::from_secs(1);
        assert_eq!(limit.admit(later), Some(100 - LOG_LINES_PER_SECOND));
        assert_eq!(limit.admit(later), Some(0));
    }

    #[test]
    fn a_header_holds_any_text() {
        let text = header_text("no node\ntc01: \u{e4}\r\u{7f}").unwrap();
        assert_eq!(text, "no node; tc01: ???");
        assert_eq!(header_text(&"x".repeat(10_000)).unwrap().len(), DETAIL_BOUND);
    }

    #[test]
    fn references_differ() {
        assert_ne!(next_reference(), next_reference());
    }
}
