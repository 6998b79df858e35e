//! The name of a field.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use super::name_ref::NameRef;
use super::system::{NOTE, SYSTEM};
use crate::key::KEY_BYTES;

/// The longest name of a field, in bytes of UTF-8.
pub const MAX_NAME_BYTES: usize = 255;

/// The checked name of an attribute or of a system field: 1 to [`MAX_NAME_BYTES`] bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldName(Arc<str>);

/// Why a text cannot name a field.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadName {
    /// No text at all.
    #[error("the field's name is empty: give it at least one character")]
    Empty,
    /// Longer than [`MAX_NAME_BYTES`].
    #[error("the field's name {start:?}… has {bytes} bytes: use at most {MAX_NAME_BYTES}")]
    TooLong {
        /// The first characters of the name.
        start: String,
        /// Bytes of the whole name.
        bytes: usize,
    },
    /// A control character, such as a line break or a zero byte.
    #[error("the field's name {name:?} contains a control character: leave it out")]
    Control {
        /// The whole name.
        name: String,
    },
}

impl FieldName {
    /// The name of an application's attribute.
    ///
    /// # Errors
    /// Refuses an empty name, one above [`MAX_NAME_BYTES`], and control characters.
    pub fn attribute(name: &str) -> Result<Self, BadName> {
        check_attribute(name)?;
        Ok(Self(name.into()))
    }

    /// The name of a system field; `name` comes without the zero byte that marks it.
    ///
    /// # Errors
    /// Refuses an empty name and one that is above [`MAX_NAME_BYTES`] with its mark.
    pub(crate) fn system(name: &str) -> Result<Self, BadName> {
        Self::received(&format!("{SYSTEM}{name}"))
    }

    /// The name of the field that says whether the secret of this hash is live.
    pub(crate) fn secret(hash: [u8; KEY_BYTES]) -> Self {
        Self(NameRef::secret(hash).with_text(|text| text.into()))
    }

    /// The name of a note: a system field in which a layer around the application keeps what belongs to the
    /// session. Applications neither see it nor can hit it; it travels, merges and ends like an attribute.
    ///
    /// # Errors
    /// As [`attribute`](Self::attribute).
    pub fn note(name: &str) -> Result<Self, BadName> {
        Self::attribute(name)?;
        Self::system(&format!("{NOTE}{name}"))
    }

    /// A name as other nodes send it, of either kind.
    ///
    /// # Errors
    /// Refuses what no node can have made. Rule 12.3.
    pub fn received(name: &str) -> Result<Self, BadName> {
        Self::check(name)?;
        Ok(Self(name.into()))
    }

    /// The same, when only the answer is wanted.
    ///
    /// # Errors
    /// As [`received`](Self::received).
    pub(super) fn check(name: &str) -> Result<(), BadName> {
        match name.strip_prefix(SYSTEM) {
            Some("") => Err(BadName::Empty),
            Some(_) => check_size(name),
            None => check_attribute(name),
        }
    }

    /// The name as fields are looked up by it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it names a system field.
    pub fn is_system(&self) -> bool {
        self.0.starts_with(SYSTEM)
    }
}

fn check_attribute(name: &str) -> Result<(), BadName> {
    if name.contains(char::is_control) && name.len() <= MAX_NAME_BYTES {
        return Err(BadName::Control { name: name.to_owned() });
    }
    check_size(name)
}

fn check_size(name: &str) -> Result<(), BadName> {
    match name.len() {
        0 => Err(BadName::Empty),
        1..=MAX_NAME_BYTES => Ok(()),
        bytes => Err(BadName::TooLong { start: name.chars().take(24).collect(), bytes }),
    }
}

impl Borrow<str> for FieldName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.escape_debug().fmt(f)
    }
}

impl fmt::Debug for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_has_a_visible_name_of_bounded_length() {
        let longest = "n".repeat(MAX_NAME_BYTES);
        assert_eq!(FieldName::attribute(&longest).unwrap().as_str(), longest);
        assert!(FieldName::attribute("Größe").is_ok());
        assert_eq!(FieldName::attribute(""), Err(BadName::Empty));
        assert!(matches!(FieldName::attribute("a\nb"), Err(BadName::Control { .. })));
        assert!(matches!(FieldName::attribute("\0principal"), Err(BadName::Control { .. })));
        let refused = FieldName::attribute(&(longest + "n")).unwrap_err();
        assert_eq!(refused, BadName::TooLong { start: "n".repeat(24), bytes: 256 });
    }

    #[test]
    fn a_system_name_is_marked_and_travels() {
        let name = FieldName::system("principal").unwrap();
        assert!(name.is_system());
        assert_eq!(FieldName::received(name.as_str()), Ok(name.clone()));
        assert_eq!(name.to_string(), "\\0principal");
        assert_eq!(FieldName::received("\0"), Err(BadName::Empty));
        assert!(FieldName::system(&"n".repeat(MAX_NAME_BYTES)).is_err());
        assert!(!FieldName::received("cart").unwrap().is_system());
    }

    #[test]
    fn a_note_is_a_system_field_of_its_own_kind() {
        let note = FieldName::note("principal").unwrap();
        assert!(note.is_system());
        assert_ne!(note, FieldName::system("principal").unwrap());
        assert_eq!(FieldName::received(note.as_str()), Ok(note.clone()));
        assert!(FieldName::note("").is_err() && FieldName::note("a\nb").is_err());
    }
}
