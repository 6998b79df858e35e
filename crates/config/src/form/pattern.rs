//! Lists of regular expressions.

use std::ops::Range;

use serde_json::json;
use toml::Spanned;
use toml::de::DeValue;

use super::{Form, Shape, Wrong, quoted, string};

/// The places of the elements of a list with `;` between them. Empty elements are none.
pub fn elements(list: &str) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    list.split(';').filter_map(move |part| {
        let from = start + (part.len() - part.trim_start().len());
        start += part.len() + 1;
        let element = part.trim();
        (!element.is_empty()).then_some(from..from + element.len())
    })
}

/// Regular expressions with `;` between them; the empty list switches the key off.
pub(crate) struct Patterns;

impl Form for Patterns {
    type Value = String;

    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<String, Wrong> {
        let list = string(value, "a regular expression, or several with `;` between them")?;
        for (index, place) in elements(list).enumerate() {
            let element = &list[place.clone()];
            let which = match list.contains(';') {
                true => format!(" in element {}, `{element}`", index + 1),
                false => String::new(),
            };
            regex_syntax::Parser::new()
                .parse(element)
                .map_err(|error| syntax(&error, &which, place.start, value))?;
            regex::Regex::new(&format!("^(?:{element})$")).map_err(|error| {
                Wrong::new(format!("is no regular expression that can be used{which}"))
                    .label(error.to_string().replace('\n', " "))
                    .at(inside(value, place))
            })?;
        }
        Ok(list.to_owned())
    }

    fn write(&self, value: &String) -> Option<String> {
        Some(quoted(value))
    }

    fn shape(&self) -> Shape {
        Shape::new("regular expression", json!({ "type": "string" }))
    }
}

/// The problem of the element that starts at `start`.
fn syntax(error: &regex_syntax::Error, which: &str, start: usize, value: &Spanned<DeValue<'_>>) -> Wrong {
    let (reason, span) = match error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), error.span()),
        regex_syntax::Error::Translate(error) => (error.kind().to_string(), error.span()),
        other => {
            return Wrong::new(format!("is not a regular expression{which}")).label(other.to_string());
        }
    };
    let place = start + span.start.offset..start + span.end.offset;
    let column = span.start.column;
    let whole = if which.is_empty() { "pattern" } else { "element" };
    Wrong::new(format!("is not a regular expression{which}: {reason} (character {column} of the {whole})"))
        .help("a point, a bracket or a star that is meant as itself has a backslash in front: '\\.'")
        .at(inside(value, place))
}

/// The place of a part of the list in the file: exact where the text stands there as it is, between quotes.
fn inside(value: &Spanned<DeValue<'_>>, part: Range<usize>) -> Range<usize> {
    let span = value.span();
    let list = value.get_ref().as_str().unwrap_or_default();
    let quotes = span.len().saturating_sub(list.len());
    // One quote on each side, and no escape sequence between them.
    if quotes == 2 { span.start + 1 + part.start..span.start + 1 + part.end } else { span }
}
