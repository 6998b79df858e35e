//! Values of attributes, and how they are written in TOML.

/// A text as TOML: without escapes where that is possible.
pub(crate) fn quoted(text: &str) -> String {
    let is_plain = |text: &str| !text.contains(['"', '\\']) && !text.chars().any(char::is_control);
    if is_plain(text) {
        return format!("\"{text}\"");
    }
    if !text.contains('\'') && !text.chars().any(char::is_control) {
        return format!("'{text}'");
    }
    let mut written = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => written.extend(['\\', character]),
            control if control.is_control() => written.push_str(&format!("\\u{:04X}", u32::from(control))),
            other => written.push(other),
        }
    }
    written + "\""
}

/// A length of time in the largest unit that is exact: `"500ms"`, `"3s"`, `"30m"`.
pub(crate) fn time(milliseconds: u64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let unit = units.into_iter().find(|(size, _)| milliseconds > 0 && milliseconds.is_multiple_of(*size));
    let (size, unit) = unit.unwrap_or((1, "ms"));
    format!("\"{}{unit}\"", milliseconds / size)
}

/// A length of time that [`time`] wrote, in milliseconds.
pub(crate) fn milliseconds(written: &str) -> Option<u64> {
    let bare = written.trim_matches('"');
    let end = bare.find(|character: char| !character.is_ascii_digit())?;
    let (amount, unit) = bare.split_at(end);
    let size = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    amount.parse::<u64>().ok()?.checked_mul(size)
}

/// A name as nodes and clusters have them: 1 to 32 letters, digits, `_` and `-`; other characters become `-`.
pub(crate) fn name(text: &str) -> String {
    let good = |character: char| character.is_ascii_alphanumeric() || "_-".contains(character);
    let name: String =
        text.chars().map(|character| if good(character) { character } else { '-' }).take(32).collect();
    if name.is_empty() { "node".to_owned() } else { name }
}

/// `true` as Tomcat reads it.
pub(crate) fn flag(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

    use super::*;

    #[test]
    fn texts_are_written_as_plainly_as_they_can_be() {
        assert_eq!(quoted("tc01"), "\"tc01\"");
        assert_eq!(quoted(r".*\.gif"), r"'.*\.gif'");
        assert_eq!(quoted("it's \"so\"\n"), r#""it's \"so\"\u000A""#);
    }

    #[test]
    fn times_go_both_ways() {
        for (milliseconds_, written) in
            [(500, "\"500ms\""), (3_000, "\"3s\""), (1_800_000, "\"30m\""), (0, "\"0ms\"")]
        {
            assert_eq!(time(milliseconds_), written);
            assert_eq!(milliseconds(written).unwrap(), milliseconds_);
        }
    }

    #[test]
    fn names_keep_what_they_can() {
        assert_eq!(name("tc01"), "tc01");
        assert_eq!(name("node.1 of the cluster"), "node-1-of-the-cluster");
        assert_eq!(name(""), "node");
        assert_eq!(name(&"x".repeat(40)).len(), 32);
    }
}
