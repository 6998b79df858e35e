//! Sizes and times as a manifest writes them: `"64MiB"`, `"2s"`.

use std::fmt;
use std::time::Duration;

use serde::Deserializer;
use serde::de::{Error, Visitor};

const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
const TIMES: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A size in bytes: a whole number, or one with a unit.
pub(crate) fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    deserializer.deserialize_any(Size)
}

/// A length of time: a whole number with its unit.
pub(crate) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    deserializer.deserialize_any(Time)
}

/// A size as a manifest writes it, in the largest unit that is exact.
pub(crate) fn size_text(bytes: usize) -> String {
    text_in(bytes as u64, &SIZES)
}

/// A length of time as a manifest writes it, in milliseconds or the largest unit that is exact.
pub(crate) fn time_text(time: Duration) -> String {
    text_in(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), &TIMES)
}

fn text_in(amount: u64, units: &[(&str, u64)]) -> String {
    let exact = units.iter().find(|(_, size)| amount >= *size && amount.is_multiple_of(*size));
    exact.map_or("0".to_owned(), |(unit, size)| format!("{}{unit}", amount / size))
}

struct Size;

impl Visitor<'_> for Size {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a size such as \"64MiB\", \"4KiB\" or a whole number of bytes")
    }

    fn visit_i64<E: Error>(self, bytes: i64) -> Result<usize, E> {
        usize::try_from(bytes).map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(bytes), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<usize, E> {
        let bytes = measured(text, &SIZES).and_then(|bytes| usize::try_from(bytes).ok());
        bytes.ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
}

struct Time;

impl Visitor<'_> for Time {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time such as \"2s\" or \"500ms\"; units are ms, s, m, h")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        let millis = measured(text, &TIMES);
        millis
            .map(Duration::from_millis)
            .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
}

/// Parses a number with a unit such as `12ms`.
fn measured(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (amount, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '_')?);
    let (_, size) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    amount.replace('_', "").parse::<u64>().ok()?.checked_mul(*size)
}
