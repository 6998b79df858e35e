//! Durations as the configuration writes them: `500ms`, `3s`, `1m`, `2h`. For `#[serde(with = "duration")]`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de};

/// A text that is not a duration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DurationError {
    text: String,
}

impl fmt::Display for DurationError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let example = "write a whole number and a unit (ms, s, m or h), for example \"500ms\" or \"3s\"";
        write!(out, "`{}` is not a duration: {example}", self.text)
    }
}

impl std::error::Error for DurationError {}

/// Milliseconds in each unit, the largest first.
const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a whole number followed by its unit.
///
/// # Errors
/// When the text is something else, or too large.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let error = || DurationError { text: text.to_owned() };
    let trimmed = text.trim();
    let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = trimmed.split_at(digits);
    let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit.trim_start()).ok_or_else(error)?;
    let number: u64 = number.parse().map_err(|_| error())?;
    number.checked_mul(*scale).map(Duration::from_millis).ok_or_else(error)
}

/// Writes a duration in the largest unit that keeps it a whole number; less than a millisecond is dropped.
#[must_use]
pub fn text(duration: Duration) -> String {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let (unit, scale) = UNITS.iter().find(|(_, scale)| ms >= *scale && ms % scale == 0).unwrap_or(&("ms", 1));
    format!("{}{unit}", ms / scale)
}

/// Reads one from a text.
///
/// # Errors
/// See [`parse`].
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
}

/// Writes one as a text.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(*duration))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read_and_written_back() {
        for (written, ms) in [("500ms", 500), ("3s", 3_000), ("1m", 60_000), ("2h", 7_200_000), ("0ms", 0)] {
            assert_eq!(parse(written), Ok(Duration::from_millis(ms)));
            assert_eq!(text(Duration::from_millis(ms)), written);
        }
    }

    #[test]
    fn what_is_no_duration_is_named() {
        for wrong in ["", "5", "s", "-1s", "1.5s", "3 days", "99999999999999999999s", "18446744073709551615h"]
        {
            let error = parse(wrong).unwrap_err();
            assert!(error.to_string().contains(&format!("`{wrong}`")), "{error}");
        }
    }
}
