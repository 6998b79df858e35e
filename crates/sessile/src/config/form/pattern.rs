//! Regular expressions.

use std::ops::Range;

use serde_json::json;
use toml::Spanned;
use toml::de::DeValue;

use super::{Form, Shape, Wrong, quoted, string};

/// A regular expression; the empty text matches nothing here, so it switches the key off.
pub(in crate::config) struct Pattern;

impl Form for Pattern {
    type Value = String;

    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<String, Wrong> {
        let pattern = string(value, "a regular expression")?;
        if let Some(place) = pattern.find(';') {
            return Err(Wrong::new("is a list with `;`, which is not available in this version")
                .label("the list form")
                .help("join the expressions with `|`: '.*\\.gif|.*\\.js'")
                .at(inside(value, place..place + 1)));
        }
        regex_syntax::Parser::new().parse(pattern).map_err(|error| syntax(&error, value))?;
        regex::Regex::new(pattern).map_err(|error| {
            Wrong::new("is a regular expression that cannot be used")
                .label(error.to_string().replace('\n', " "))
        })?;
        Ok(pattern.to_owned())
    }

    fn write(&self, value: &String) -> Option<String> {
        Some(quoted(value))
    }

    fn shape(&self) -> Shape {
        Shape::new("regular expression", json!({ "type": "string" }))
    }
}

fn syntax(error: &regex_syntax::Error, value: &Spanned<DeValue<'_>>) -> Wrong {
    let (reason, span) = match error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), error.span()),
        regex_syntax::Error::Translate(error) => (error.kind().to_string(), error.span()),
        other => return Wrong::new("is not a regular expression").label(other.to_string()),
    };
    let place = span.start.offset..span.end.offset;
    let column = span.start.column;
    Wrong::new(format!("is not a regular expression: {reason} (character {column} of the pattern)"))
        .help("a point, a bracket or a star that is meant as itself has a backslash in front: '\\.'")
        .at(inside(value, place))
}

/// The place of a part of the pattern in the file: exact where the text stands there as it is, between quotes.
fn inside(value: &Spanned<DeValue<'_>>, part: Range<usize>) -> Range<usize> {
    let span = value.span();
    let pattern = value.get_ref().as_str().unwrap_or_default();
    let quotes = span.len().saturating_sub(pattern.len());
    // One quote on each side, and no escape sequence between them.
    if quotes == 2 { span.start + 1 + part.start..span.start + 1 + part.end } else { span }
}
