//! How long the browser keeps the cookie of one session: "remember me".
//!
//! It is a note of the session, so every node that sets the cookie anew, after a failover for example, sets
//! it for as long.

use std::time::Duration;

use sessile_core::{FieldName, Value};

/// Names the note.
const NOTE: &str = "cookie.max-age";
/// Longest `Max-Age` that browsers keep to (RFC 6265bis, 5.5).
pub(crate) const MAX_AGE: Duration = Duration::from_secs(400 * 86_400);

/// How long one session's cookie is kept, where that is not as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CookieAge {
    /// Until the browser is closed.
    UntilClosed,
    Kept(Duration),
}

impl CookieAge {
    /// That which takes most bytes.
    pub(crate) const LONGEST: Self = Self::Kept(MAX_AGE);

    /// The field that holds it.
    pub(crate) fn field() -> FieldName {
        FieldName::note(NOTE).expect("a short name of visible characters")
    }

    /// Whole seconds; none stand for a closed browser.
    pub(crate) fn encode(self) -> Value {
        let seconds = match self {
            Self::UntilClosed => 0,
            Self::Kept(age) => age.as_secs(),
        };
        Value::raw(seconds.to_le_bytes().to_vec())
    }

    /// Reads what [`encode`](Self::encode) wrote; of a later version's note nothing is known.
    pub(crate) fn decode(value: &Value) -> Option<Self> {
        let seconds = u64::from_le_bytes(value.bytes.as_ref().try_into().ok()?);
        Some(if seconds == 0 {
            Self::UntilClosed
        } else {
            Self::Kept(Duration::from_secs(seconds).min(MAX_AGE))
        })
    }
}
