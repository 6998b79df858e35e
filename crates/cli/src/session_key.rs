//! Session keys on the command line. One in 64 begins with `-`, as options do.

use std::ffi::OsString;

/// Characters of a key.
const LENGTH: usize = 22;
/// Stands before a key that would be taken for an option.
const SHIELD: &str = "key:";

/// The words of a command line, with keys that look like options marked as what they are.
pub(crate) fn shielded(words: impl IntoIterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    words.into_iter().map(|word| match word.to_str() {
        Some(text) if is_like_option(text) => format!("{SHIELD}{text}").into(),
        _ => word,
    })
}

/// The key without the mark.
pub(crate) fn unshielded(word: &str) -> &str {
    word.strip_prefix(SHIELD).unwrap_or(word)
}

/// Whether it has the form of a key and begins as an option. No option is as long.
fn is_like_option(word: &str) -> bool {
    let is_of_key = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    word.len() == LENGTH && word.starts_with('-') && word.chars().all(is_of_key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_marked_and_options_are_not() {
        let words =
            ["store", "show", "-hIJKLMNOPQRSTUVWXYZab", "--values", "--after", "--234567890123456789_-"];
        let shielded: Vec<_> = shielded(words.map(OsString::from)).collect();
        assert_eq!(
            shielded,
            [
                "store",
                "show",
                "key:-hIJKLMNOPQRSTUVWXYZab",
                "--values",
                "--after",
                "key:--234567890123456789_-"
            ]
        );
        assert_eq!(unshielded("key:-hIJKLMNOPQRSTUVWXYZab"), "-hIJKLMNOPQRSTUVWXYZab");
        assert_eq!(unshielded("ABC"), "ABC");
    }
}
