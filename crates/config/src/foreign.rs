//! Files that others describe by serde, such as the balancer's: their errors get the same shape as ours.

use std::ops::Range;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue};

use super::fault::{ConfigError, Finding, Findings};
use super::read::text_of;
use super::suggest::closest;

/// A value that its owner refuses: the key as `balance.listen` or `node[1].name` (counted from 0), and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Where the value is.
    pub key: String,
    /// What is wrong with it.
    pub message: String,
}

/// Reads another TOML file of the program by its serde derive; `validate` sees what the types cannot.
///
/// # Errors
/// [`ConfigError`] with the place in the file.
pub fn load_toml<T: DeserializeOwned>(
    path: impl AsRef<Path>,
    validate: impl FnOnce(&T) -> Result<(), Refused>,
) -> Result<T, ConfigError> {
    let path = path.as_ref();
    parse_toml(path, text_of(path)?, validate)
}

/// The same for a text that is at hand; `path` names it in messages.
///
/// # Errors
/// [`ConfigError::Invalid`] with the place in the text.
pub fn parse_toml<T: DeserializeOwned>(
    path: impl AsRef<Path>,
    text: String,
    validate: impl FnOnce(&T) -> Result<(), Refused>,
) -> Result<T, ConfigError> {
    let path = path.as_ref();
    let read = toml::from_str::<T>(&text).map_err(|error| finding(&error));
    let checked = read.and_then(|value| match validate(&value) {
        Ok(()) => Ok(value),
        Err(refused) => Err(Finding::error(place_of(&refused.key, &text), refused.message)),
    });
    checked.map_err(|finding| {
        ConfigError::Invalid(Findings { path: path.to_owned(), text, list: vec![finding] })
    })
}

/// An error of the TOML parser or of serde, as a finding.
pub(super) fn finding(error: &toml::de::Error) -> Finding {
    let message = error.message().trim().replace('\n', "; ");
    let words: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let meant = match words.split_first() {
        Some((unknown, known)) if message.starts_with("unknown") => closest(unknown, known.iter().copied()),
        _ => None,
    };
    let help = meant.map(|meant| format!("did you mean `{meant}`?"));
    Finding { help, ..Finding::error(error.span().unwrap_or(0..0), &message) }
}

/// Where the value of `key` stands; where it is left out, the innermost table around it.
fn place_of(key: &str, text: &str) -> Range<usize> {
    let Ok(root) = DeTable::parse(text) else { return 0..0 };
    let mut span = 0..0;
    let root = DeValue::Table(root.into_inner());
    let mut value = &root;
    for step in key.split(['.', '[']) {
        let next = match step.strip_suffix(']') {
            Some(index) => index.parse().ok().and_then(|index: usize| value.as_array()?.get(index)),
            None => value.as_table().and_then(|table| table.get(step)),
        };
        let Some(next) = next else { break };
        span = next.span();
        value = next.get_ref();
    }
    span
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::{Refused, load_toml};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Fleet {
        node: Vec<Node>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Node {
        #[allow(dead_code)]
        weight: u32,
    }

    fn error(text: &str, refused: &str) -> String {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), text).expect("writable");
        let refused = Refused { key: refused.to_owned(), message: "no good".to_owned() };
        let error =
            load_toml::<Fleet>(
                file.path(),
                |fleet| if fleet.node.is_empty() { Ok(()) } else { Err(refused) },
            );
        error.expect_err("wrong").to_string().replace(&file.path().display().to_string(), "lb.toml")
    }

    #[test]
    fn serde_errors_have_place_and_suggestion() {
        let shown = error("[[node]]\nwieght = 3\n", "");
        assert!(shown.contains("--> lb.toml:2:1"), "{shown}");
        assert!(shown.contains("did you mean `weight`?"), "{shown}");
    }

    #[test]
    fn refused_values_are_located_by_their_key() {
        let text = "[[node]]\nweight = 1\n[[node]]\nweight = 2\n";
        assert!(error(text, "node[1].weight").contains("error: no good\n --> lb.toml:4:10"));
        assert!(error(text, "node[1].name").contains("--> lb.toml:3:1"));
        assert!(error(text, "balance.listen").contains("--> lb.toml:1:1"));
    }
}
