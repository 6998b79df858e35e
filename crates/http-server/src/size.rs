//! Numbers of bytes as the configuration writes them: `512B`, `64KiB`, `1MiB`. For `#[serde(with = "size")]`.

use serde::{Deserialize, Deserializer, Serializer, de};

const UNITS: [(&str, usize); 3] = [("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Reads a whole number followed by its unit.
fn parse(text: &str) -> Option<usize> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<usize>().ok()?.checked_mul(*scale)
}

/// Writes a size in the largest unit that keeps it a whole number.
#[must_use]
pub fn text(bytes: usize) -> String {
    let fits = |scale: usize| bytes > 0 && bytes.is_multiple_of(scale);
    let (unit, scale) = UNITS.iter().find(|(_, scale)| fits(*scale)).unwrap_or(&("B", 1));
    format!("{}{unit}", bytes / scale)
}

/// Reads one from a text.
///
/// # Errors
/// When the text is something else, or too large.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let text = String::deserialize(deserializer)?;
    let error =
        || format!("`{text}` is not a size: write a whole number and a unit (B, KiB or MiB), as \"64KiB\"");
    parse(&text).ok_or_else(|| de::Error::custom(error()))
}

/// Writes one as a text.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(bytes: &usize, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read_and_written_back() {
        for (written, bytes) in [("512B", 512), ("64KiB", 65_536), ("1MiB", 1 << 20), ("0B", 0)] {
            assert_eq!(parse(written), Some(bytes));
            assert_eq!(text(bytes), written);
        }
        for wrong in ["", "64", "KiB", "-1B", "1.5MiB", "64kb", "99999999999999999999MiB"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
