//! Which application a session belongs to.

use std::fmt;
use std::sync::Arc;

use crate::error::Malformed;

/// The name of an application, for instance its path. A store only compares it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct App(Arc<str>);

impl App {
    /// The longest name in bytes.
    pub const LIMIT: usize = 255;

    /// Takes the name.
    ///
    /// # Errors
    /// It is longer than [`LIMIT`](Self::LIMIT) bytes, or has a control character in it.
    pub fn new(name: &str) -> Result<Self, Malformed> {
        if name.len() > Self::LIMIT || name.chars().any(char::is_control) {
            return Err(Malformed::App(name.chars().take(40).collect()));
        }
        Ok(Self(name.into()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
