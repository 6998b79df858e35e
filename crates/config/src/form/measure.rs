//! Numbers, sizes in bytes and lengths of time.

use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Value as Json, json};
use toml::Spanned;
use toml::de::DeValue;

use super::{Form, Shape, Wrong, quoted};

const TIME_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
const SIZE_UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// A length of time as people write it, in the largest unit that is exact: `500ms`, `3s`, `30m`.
pub(crate) fn describe(time: Duration) -> String {
    in_units(u64::try_from(time.as_millis()).unwrap_or(u64::MAX), &TIME_UNITS)
}

fn in_units(amount: u64, units: &[(&str, u64)]) -> String {
    let exact = units.iter().find(|(_, size)| amount > 0 && amount.is_multiple_of(*size));
    let (unit, size) = exact.or(units.last()).copied().unwrap_or(("", 1));
    format!("{}{unit}", amount / size)
}

/// `12ms` in units; the unit is required.
fn measured(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '_')?;
    let (amount, unit) = text.split_at(end);
    let (_, size) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    amount.replace('_', "").parse::<u64>().ok()?.checked_mul(*size)
}

/// A number as TOML, with its thousands apart where it is hard to read otherwise: `1_000_000`.
fn grouped(number: u64) -> String {
    if number < 100_000 {
        return number.to_string();
    }
    let (mut head, mut tail) = (number, String::new());
    while head >= 1_000 {
        tail = format!("_{:03}{tail}", head % 1_000);
        head /= 1_000;
    }
    format!("{head}{tail}")
}

/// Bounds of a length of time, for people.
fn span(bounds: &RangeInclusive<u64>) -> String {
    let [least, most] = [bounds.start(), bounds.end()].map(|bound| in_units(*bound, &TIME_UNITS));
    format!("{least} to {most}")
}

/// A length of time as JSON schema; `also` holds the words that may stand in its place, each with a `|`.
fn timely(also: &str) -> Json {
    json!({ "type": "string", "pattern": format!("^({also}[0-9_]+\\s*(ms|s|m|h|d))$") })
}

/// An integer of the file, if it is not negative and fits.
fn integer(value: &DeValue<'_>) -> Option<u64> {
    let integer = value.as_integer()?;
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

/// A length of time between the two bounds, in milliseconds.
pub(crate) struct Time(pub(crate) RangeInclusive<u64>);

impl Form for Time {
    type Value = Duration;

    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<Duration, Wrong> {
        if let Some(number) = value.get_ref().as_integer() {
            let wrong = Wrong::new("needs a unit").label("a number alone is no length of time");
            return Err(
                wrong.help(format!("write \"{number}s\" or \"{number}ms\"; units are ms, s, m, h, d"))
            );
        }
        let text = value.get_ref().as_str().unwrap_or_default();
        let Some(millis) = measured(text, &TIME_UNITS) else {
            return Err(Wrong::new("is not a length of time")
                .help("write a whole number and its unit: \"500ms\", \"3s\", \"30m\", \"8h\", \"7d\""));
        };
        if !self.0.contains(&millis) {
            let [least, most] = [self.0.start(), self.0.end()].map(|bound| in_units(*bound, &TIME_UNITS));
            return Err(Wrong::new("is out of bounds").label(format!("must be {least} to {most}")));
        }
        Ok(Duration::from_millis(millis))
    }

    fn write(&self, value: &Duration) -> Option<String> {
        Some(quoted(&describe(*value)))
    }

    fn shape(&self) -> Shape {
        Shape::new(format!("time, {}", span(&self.0)), timely(""))
    }
}

/// A length of time, or `"never"`.
pub(crate) struct TimeOrNever(pub(crate) RangeInclusive<u64>);

impl Form for TimeOrNever {
    type Value = Option<Duration>;

    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<Option<Duration>, Wrong> {
        if value.get_ref().as_str() == Some("never") {
            return Ok(None);
        }
        Time(self.0.clone()).read(value).map(Some).map_err(|wrong| wrong.or_else("\"never\""))
    }

    fn write(&self, value: &Option<Duration>) -> Option<String> {
        Some(value.map_or_else(|| quoted("never"), |time| quoted(&describe(time))))
    }

    fn shape(&self) -> Shape {
        Shape::new(format!("time, {}, or `never`", span(&self.0)), timely("never|"))
    }
}

/// A number of bytes between the two bounds.
pub(crate) struct Size(pub(crate) RangeInclusive<usize>);

impl Form for Size {
    type Value = usize;

    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<usize, Wrong> {
        let text = value.get_ref().as_str().unwrap_or_default();
        let bytes = integer(value.get_ref()).or_else(|| measured(text, &SIZE_UNITS));
        let Some(bytes) = bytes.and_then(|bytes| usize::try_from(bytes).ok()) else {
            return Err(Wrong::new("is not a number of bytes")
                .help("write \"64KiB\", \"4MiB\", \"1GiB\" or a whole number such as 65_536"));
        };
        if !self.0.contains(&bytes) {
            let [least, most] =
                [self.0.start(), self.0.end()].map(|bound| in_units(*bound as u64, &SIZE_UNITS));
            return Err(Wrong::new("is out of bounds").label(format!("must be {least} to {most}")));
        }
        Ok(bytes)
    }

    fn write(&self, value: &usize) -> Option<String> {
        Some(quoted(&in_units(*value as u64, &SIZE_UNITS)))
    }

    fn shape(&self) -> Shape {
        let [least, most] = [self.0.start(), self.0.end()].map(|bound| in_units(*bound as u64, &SIZE_UNITS));
        let text = json!({ "type": "string", "pattern": "^[0-9_]+\\s*(GiB|MiB|KiB|B)$" });
        let number = json!({ "type": "integer", "minimum": self.0.start(), "maximum": self.0.end() });
        Shape::new(format!("size, {least} to {most}"), json!({ "anyOf": [text, number] }))
    }
}

/// A whole number between the two bounds.
pub(crate) struct Number<N>(RangeInclusive<u64>, PhantomData<N>);

impl<N: Into<u64>> Number<N> {
    pub(crate) fn within(bounds: RangeInclusive<N>) -> Self {
        let (least, most) = bounds.into_inner();
        Self(least.into()..=most.into(), PhantomData)
    }
}

impl<N: Copy + Into<u64> + TryFrom<u64>> Form for Number<N> {
    type Value = N;

    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<N, Wrong> {
        if !value.get_ref().is_integer() {
            return Err(Wrong::new("must be a whole number, without quotes"));
        }
        let number = integer(value.get_ref()).filter(|number| self.0.contains(number));
        number.and_then(|number| N::try_from(number).ok()).ok_or_else(|| {
            Wrong::new("is out of bounds").label(format!("must be {} to {}", self.0.start(), self.0.end()))
        })
    }

    fn write(&self, value: &N) -> Option<String> {
        Some(grouped((*value).into()))
    }

    fn shape(&self) -> Shape {
        let (least, most) = (self.0.start(), self.0.end());
        Shape::new(
            format!("number, {} to {}", grouped(*least), grouped(*most)),
            json!({ "type": "integer", "minimum": least, "maximum": most }),
        )
    }
}
