//! Interim answers (RFC 9110, section 15.2), such as `103 Early Hints`.

use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::connection_state::ConnectionState;

/// Most interim answers of a connection that wait to be written; further ones are dropped, which RFC 9110
/// allows.
const MAX_WAITING: usize = 16;

/// Sends interim answers before the answer to a request. It is in the extensions of every HTTP/1.1 request;
/// the HTTP/2 engine sends none.
#[derive(Debug, Clone)]
pub struct EarlyResponses(pub(crate) Arc<ConnectionState>);

impl EarlyResponses {
    /// Sends one; 100 and 101 are the engine's own and are not sent.
    pub fn send(&self, status: StatusCode, headers: &HeaderMap) {
        if !status.is_informational() || matches!(status.as_u16(), 100 | 101) {
            return;
        }
        let mut text =
            format!("HTTP/1.1 {} {}\r\n", status.as_u16(), status.canonical_reason().unwrap_or("Interim"));
        for (name, value) in headers {
            // A value that is not text is rare in a hint, and left out.
            if let Ok(value) = value.to_str() {
                // Writing to a string does not fail.
                let _ = write!(text, "{name}: {value}\r\n");
            }
        }
        text.push_str("\r\n");
        let mut queue = self.0.interim.lock();
        if queue.bytes.len() < MAX_WAITING {
            queue.bytes.push(Bytes::from(text));
            if let Some(writer) = queue.writer.take() {
                writer.wake();
            }
        }
    }
}
