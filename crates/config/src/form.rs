//! The forms that a value can have in the file: how it is read, how it is written, what to say when it is
//! wrong.
//!
//! A form checks one value. Checks of two values are in `agreement.rs`.

mod address;
mod measure;
mod pattern;
mod text;
mod word;

use std::ops::Range;

use serde_json::{Value as Json, json};
use toml::Spanned;
use toml::de::DeValue;

use super::fault::Finding;

pub(super) use address::{Address, Cidr, Interface, MulticastGroup, Peer};
pub(super) use measure::{Number, Size, Time, TimeOrNever, describe};
pub(super) use pattern::Patterns;
pub use pattern::elements as filter_elements;
pub(super) use text::{CookieDomain, CookieName, DnsName, File, HostName, Name, Text, UrlPath};
pub(super) use word::{Flag, OneOf, SecureWord};

/// One way to write a value.
pub(super) trait Form {
    /// The parsed value.
    type Value;

    /// Takes the value from the file.
    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<Self::Value, Wrong>;

    /// The value as TOML, which [`Form::read`] takes back; `None` when there is nothing to write.
    fn write(&self, value: &Self::Value) -> Option<String>;

    /// The allowed values, for people and editors.
    fn shape(&self) -> Shape;
}

/// The description of a form's values. [`Form::read`] decides.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// In words, as they stand in a table: "time, 40ms to 1h".
    pub(super) words: String,
    /// As JSON schema: never narrower than [`Form::read`].
    pub(super) schema: Json,
}

impl Shape {
    fn new(words: impl Into<String>, schema: Json) -> Self {
        Self { words: words.into(), schema }
    }
}

/// Why a value could not be taken. The key's name goes in front of the message.
#[derive(Debug)]
pub(super) struct Wrong {
    /// The problem, phrased to follow the key's name: "is not a duration".
    message: String,
    label: String,
    help: Option<String>,
    /// The place, where it is narrower than the whole value.
    span: Option<Range<usize>>,
}

impl Wrong {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), label: String::new(), help: None, span: None }
    }

    pub(super) fn label(self, label: impl Into<String>) -> Self {
        Self { label: label.into(), ..self }
    }

    pub(super) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// Names one more value that could stand there.
    pub(super) fn or_else(self, value: &str) -> Self {
        let help = self.help.map(|help| format!("{help}, or {value}"));
        Self { help, ..self }
    }

    pub(super) fn at(self, span: Range<usize>) -> Self {
        Self { span: Some(span), ..self }
    }

    /// The finding about the key `name` whose value stands at `value`.
    pub(super) fn about(self, name: &str, value: Range<usize>) -> Finding {
        Finding {
            help: self.help,
            ..Finding::error(self.span.unwrap_or(value), format!("`{name}` {}", self.message))
                .label(self.label)
        }
    }
}

/// The text of a string value; `wanted` says what should be there instead of another type.
fn string<'v>(value: &'v Spanned<DeValue<'_>>, wanted: &str) -> Result<&'v str, Wrong> {
    let found = value.get_ref();
    found.as_str().ok_or_else(|| {
        let article = if matches!(found.type_str(), "integer" | "array") { "an" } else { "a" };
        Wrong::new(format!("must be {wanted}")).label(format!("this is {article} {}", found.type_str()))
    })
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A key that may be left out and then has no value.
pub(super) struct Optional<F>(pub(super) F);

impl<F: Form> Form for Optional<F> {
    type Value = Option<F::Value>;

    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<Self::Value, Wrong> {
        self.0.read(value).map(Some)
    }

    fn write(&self, value: &Self::Value) -> Option<String> {
        value.as_ref().and_then(|value| self.0.write(value))
    }

    fn shape(&self) -> Shape {
        self.0.shape()
    }
}

/// The largest number of elements in a list.
const MAX_LIST: usize = 1024;

/// A list of values of one form.
pub(super) struct List<F>(pub(super) F);

impl<F: Form> Form for List<F> {
    type Value = Vec<F::Value>;

    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<Self::Value, Wrong> {
        let Some(list) = value.get_ref().as_array() else {
            return Err(
                Wrong::new("must be a list").help("write the values between brackets: [\"…\", \"…\"]")
            );
        };
        if list.len() > MAX_LIST {
            return Err(Wrong::new(format!("has more than {MAX_LIST} elements")));
        }
        let element = |item: &Spanned<DeValue<'_>>| {
            self.0.read(item).map_err(|wrong| {
                let span = wrong.span.clone().unwrap_or(item.span());
                let usual = "this is about one element; write the values between brackets: [\"…\", \"…\"]";
                let help = wrong.help.clone().unwrap_or_else(|| usual.to_owned());
                wrong.help(help).at(span)
            })
        };
        list.iter().map(element).collect()
    }

    fn write(&self, value: &Self::Value) -> Option<String> {
        let elements: Vec<String> = value.iter().filter_map(|element| self.0.write(element)).collect();
        Some(format!("[{}]", elements.join(", ")))
    }

    fn shape(&self) -> Shape {
        let Shape { words, schema } = self.0.shape();
        Shape::new(
            format!("list of: {words}"),
            json!({ "type": "array", "items": schema, "maxItems": MAX_LIST }),
        )
    }
}
