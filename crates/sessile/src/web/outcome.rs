//! What became of a request's changes.

use std::fmt;

use sessile_core::Receipt;

/// What became of the changes that a request made, as [`Session::receipt`](super::Session::receipt) tells and the
/// response carries in its extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// They are committed; the receipt says how many complete copies hold them.
    Committed(Receipt),
    /// They were dropped: the session ended while the request ran.
    Dropped,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Committed(receipt) => {
                write!(f, "copies={}/{}", receipt.copies, receipt.wanted)?;
                if receipt.degraded() { f.write_str(" degraded") } else { Ok(()) }
            }
            Self::Dropped => f.write_str("dropped session-ended"),
        }
    }
}
