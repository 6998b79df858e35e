//! Entries of other libraries' sessions, whose names may be any text, as attributes, whose names may not.
//!
//! A name that no attribute can have (empty, too long, with a control character) is kept under a digest of
//! it, together with the value: `~` and 32 hexadecimal digits hold the JSON text `[name, value]`. So is a
//! name that looks like that itself.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::Value;
use sessile_core::FieldName;

const MARK: char = '~';
const DIGITS: usize = 32;

/// The attribute that holds the entry, and its JSON text.
pub(super) fn to_attribute<'n>(name: &'n str, json: &Bytes) -> (Cow<'n, str>, Bytes) {
    let attribute = attribute_name(name);
    match attribute {
        Cow::Borrowed(_) => (attribute, json.clone()),
        Cow::Owned(_) => {
            let text = [b"[", Value::from(name).to_string().as_bytes(), b",", json, b"]"].concat();
            (attribute, text.into())
        }
    }
}

/// The name of the attribute that holds the entry.
pub(super) fn attribute_name(name: &str) -> Cow<'_, str> {
    if FieldName::attribute(name).is_ok() && !is_digest(name) {
        return Cow::Borrowed(name);
    }
    let digest = blake3::hash(name.as_bytes()).to_hex();
    Cow::Owned(format!("{MARK}{}", &digest[..DIGITS]))
}

/// The entry that an attribute holds.
pub(super) fn from_attribute(attribute: String, json: Bytes) -> (String, Bytes) {
    if !is_digest(&attribute) {
        return (attribute, json);
    }
    match serde_json::from_slice::<(String, Value)>(&json) {
        Ok((name, value)) => (name, value.to_string().into()),
        Err(_) => (attribute, json),
    }
}

fn is_digest(name: &str) -> bool {
    let digits = name.strip_prefix(MARK).unwrap_or_default();
    digits.len() == DIGITS && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_name_comes_back(name in any::<String>(), value in any::<i64>()) {
            let json = Bytes::from(value.to_string());
            let (attribute, text) = to_attribute(&name, &json);
            prop_assert!(FieldName::attribute(&attribute).is_ok());
            prop_assert_eq!(from_attribute(attribute.into_owned(), text), (name, json));
        }
    }

    #[test]
    fn what_no_attribute_can_be_called_comes_back_too() {
        let digest = format!("~{}", "a".repeat(32));
        for name in ["", "line\nbreak", &"n".repeat(300), &digest, "plain", "~plain"] {
            let (attribute, text) = to_attribute(name, &"[1]".into());
            assert_eq!(attribute == name, ["plain", "~plain"].contains(&name), "{name}");
            assert_eq!(from_attribute(attribute.into_owned(), text), (name.to_owned(), "[1]".into()));
        }
    }
}
