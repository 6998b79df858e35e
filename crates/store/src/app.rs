//! The application of a session.

use std::fmt;
use std::sync::Arc;

use crate::error::MalformedRecord;

/// The name of an application, for example its path. A store only compares names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppName(Arc<str>);

impl AppName {
    /// The longest name in bytes.
    pub const LIMIT: usize = 255;

    /// Creates a name.
    ///
    /// # Errors
    /// The name is longer than [`LIMIT`](Self::LIMIT) bytes, or contains a control character.
    pub fn new(name: &str) -> Result<Self, MalformedRecord> {
        if name.len() > Self::LIMIT || name.chars().any(char::is_control) {
            return Err(MalformedRecord::App(name.chars().take(40).collect()));
        }
        Ok(Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
