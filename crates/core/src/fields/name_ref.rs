//! A field's name where it lies: a text, or the 16 bytes that the text of a secret's name was made of.
//!
//! One name has one form only: what reads like the name of a secret is always held as bytes, so names are
//! equal when their forms are. All other questions are about the text.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use super::name::FieldName;
use super::system::{SECRET, SYSTEM};
use crate::key::{KEY_BYTES, KEY_CHARACTERS, SessionKey};

/// Characters in the name of a secret's field.
const SECRET_CHARACTERS: usize = SECRET.len() + KEY_CHARACTERS;

/// The name of a field, be it an attribute's or the system's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NameRef<'a>(pub(super) Form<'a>);

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form<'a> {
    Text(&'a str),
    Secret([u8; KEY_BYTES]),
}

impl<'a> NameRef<'a> {
    /// The name of the field that says whether the secret of this hash is live.
    pub(crate) fn secret(hash: [u8; KEY_BYTES]) -> Self {
        Self(Form::Secret(hash))
    }

    /// Whether it names a system field.
    pub fn is_system(self) -> bool {
        self.text().is_none_or(|text| text.starts_with(SYSTEM))
    }

    /// The hash of the secret whose field it names.
    pub(crate) fn secret_hash(self) -> Option<[u8; KEY_BYTES]> {
        match self.0 {
            Form::Secret(hash) => Some(hash),
            Form::Text(_) => None,
        }
    }

    pub(crate) fn is_secret(self) -> bool {
        self.text().is_none()
    }

    /// Whether a node can have made it.
    pub(crate) fn is_valid(self) -> bool {
        self.text().is_none_or(|text| FieldName::check(text).is_ok())
    }

    /// Bytes of the text.
    pub(crate) fn len(self) -> usize {
        self.text().map_or(SECRET_CHARACTERS, str::len)
    }

    /// The text where it lies; `None` for a secret's name, which is not there as text. Attributes and notes
    /// have one.
    pub(crate) fn text(self) -> Option<&'a str> {
        match self.0 {
            Form::Text(text) => Some(text),
            Form::Secret(_) => None,
        }
    }

    /// The text as it is sent and shown.
    pub fn to_text(self) -> Cow<'a, str> {
        self.text().map_or_else(|| Cow::Owned(self.with_text(str::to_owned)), Cow::Borrowed)
    }

    /// Shows the text without keeping it.
    pub(crate) fn with_text<R>(self, look: impl FnOnce(&str) -> R) -> R {
        match self.0 {
            Form::Text(text) => look(text),
            Form::Secret(hash) => {
                let mut text = [0; SECRET_CHARACTERS];
                let (prefix, spelled) = text.split_at_mut(SECRET.len());
                prefix.copy_from_slice(SECRET.as_bytes());
                spelled.copy_from_slice(&SessionKey(hash).spelled());
                look(str::from_utf8(&text).expect("both parts are ASCII"))
            }
        }
    }
}

impl<'a> From<&'a str> for NameRef<'a> {
    fn from(text: &'a str) -> Self {
        let hash = text.strip_prefix(SECRET).and_then(SessionKey::parse);
        Self(hash.map_or(Form::Text(text), |hash| Form::Secret(hash.0)))
    }
}

impl PartialEq<&str> for NameRef<'_> {
    fn eq(&self, text: &&str) -> bool {
        self.cmp(&NameRef(Form::Text(text))).is_eq()
    }
}

/// By the bytes of the text.
impl Ord for NameRef<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.0, other.0) {
            (Form::Text(one), Form::Text(other)) => one.cmp(other),
            (Form::Secret(_), Form::Text(text)) if !text.starts_with(SECRET) => SECRET.cmp(text),
            (Form::Text(text), Form::Secret(_)) if !text.starts_with(SECRET) => text.cmp(SECRET),
            _ => self.with_text(|one| other.with_text(|other| one.cmp(other))),
        }
    }
}

impl PartialOrd for NameRef<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for NameRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.with_text(|text| fmt::Debug::fmt(text, f))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        let [low, high] =
            [[0; KEY_BYTES], [255; KEY_BYTES]].map(|hash| NameRef::secret(hash).to_text().into_owned());
        // The last is no hash's one spelling, so it is a text like any other.
        let odd = format!("{}9", &low[..low.len() - 1]);
        let plain =
            ["", "\0", "\0secret", "\0secret.", "\0secret.x", "\0secrets", "\0inactive", "cart", "secret."];
        plain.map(str::to_owned).into_iter().chain([low, high, odd]).collect()
    }

    #[test]
    fn every_name_keeps_its_text() {
        for name in names() {
            assert_eq!(NameRef::from(name.as_str()).to_text(), name);
            assert_eq!(NameRef::from(name.as_str()).len(), name.len());
            assert_eq!(NameRef::from(name.as_str()).is_system(), name.starts_with(SYSTEM));
            assert_eq!(format!("{:?}", NameRef::from(name.as_str())), format!("{name:?}"));
        }
        let secrets = names().iter().filter(|name| NameRef::from(name.as_str()).is_secret()).count();
        assert_eq!(secrets, 2);
    }

    #[test]
    fn names_are_ordered_as_their_texts_are() {
        for one in names() {
            for other in names() {
                let (left, right) = (NameRef::from(one.as_str()), NameRef::from(other.as_str()));
                assert_eq!(left.cmp(&right), one.cmp(&other), "{one:?} and {other:?}");
                assert_eq!(left == right, one == other);
                assert_eq!(left == other.as_str(), one == other);
            }
        }
    }
}
