//! Words out of a fixed choice, and yes or no.

use serde_json::json;
use toml::Spanned;
use toml::de::DeValue;

use super::{Form, Shape, Wrong, quoted, string};
use crate::Secure;
use crate::suggest::{closest, listed};

/// `true` or `false`.
pub(crate) struct Flag;

impl Form for Flag {
    type Value = bool;

    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<bool, Wrong> {
        value.get_ref().as_bool().ok_or_else(|| {
            Wrong::new("must be true or false").help("write `true` or `false`, without quotes")
        })
    }

    fn write(&self, value: &bool) -> Option<String> {
        Some(value.to_string())
    }

    fn shape(&self) -> Shape {
        Shape::new("`true` or `false`", json!({ "type": "boolean" }))
    }
}

/// One of a few words.
pub(crate) struct OneOf<T: 'static> {
    /// The words that work, and what they stand for.
    pub(crate) built: &'static [(&'static str, T)],
    /// The words of parts that this version does not have.
    pub(crate) later: &'static [&'static str],
}

impl<T: Copy + PartialEq> Form for OneOf<T> {
    type Value = T;

    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<T, Wrong> {
        let built = self.built.iter().map(|(word, _)| *word);
        let works = listed(built.clone());
        let word = string(value, &works)?;
        if let Some((_, meaning)) = self.built.iter().find(|(known, _)| *known == word) {
            return Ok(*meaning);
        }
        if self.later.contains(&word) {
            return Err(Wrong::new(format!("= \"{word}\" is not available in this version"))
                .label("not available in this version")
                .help(format!("what works: {works}")));
        }
        let help = match closest(word, built) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => format!("what works: {works}"),
        };
        Err(Wrong::new(format!("cannot be \"{word}\"")).help(help))
    }

    fn write(&self, value: &T) -> Option<String> {
        self.built.iter().find(|(_, meaning)| meaning == value).map(|(word, _)| quoted(word))
    }

    fn shape(&self) -> Shape {
        let words: Vec<&str> = self.built.iter().map(|(word, _)| *word).collect();
        Shape::new(listed(words.iter().copied()), json!({ "enum": words }))
    }
}

/// `"auto"`, `true` or `false`.
pub(crate) struct SecureWord;

impl Form for SecureWord {
    type Value = Secure;

    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<Secure, Wrong> {
        match value.get_ref() {
            DeValue::Boolean(true) => Ok(Secure::Always),
            DeValue::Boolean(false) => Ok(Secure::Never),
            DeValue::String(word) if word == "auto" => Ok(Secure::Auto),
            _ => Err(Wrong::new("must be \"auto\", true or false")),
        }
    }

    fn write(&self, value: &Secure) -> Option<String> {
        Some(match value {
            Secure::Auto => quoted("auto"),
            Secure::Always => "true".to_owned(),
            Secure::Never => "false".to_owned(),
        })
    }

    fn shape(&self) -> Shape {
        Shape::new("`auto`, `true` or `false`", json!({ "enum": ["auto", true, false] }))
    }
}
