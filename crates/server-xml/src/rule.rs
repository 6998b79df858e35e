//! The rules of attributes.

use crate::draft::Draft;
use crate::place::Place;
use crate::value::{flag, name, quoted, time};

/// The rule of an attribute. A value of another form is a problem of the file.
#[derive(Clone, Copy)]
pub(crate) enum Rule {
    /// A name of a node or a cluster.
    Name(&'static str, &'static str),
    /// A text as it is.
    Text(&'static str, &'static str),
    /// `true` or `false`.
    Flag(&'static str, &'static str),
    /// A number within bounds; what is outside becomes the bound, with a note.
    Number(&'static str, &'static str, u64, u64),
    /// A time in milliseconds within bounds (milliseconds).
    Millis(&'static str, &'static str, u64, u64),
    /// The same in seconds.
    Seconds(&'static str, &'static str, u64, u64),
    /// A rule of more than one line.
    By(fn(&mut Draft, &Given<'_>)),
    /// It says nothing that has to be carried over, and needs no comment.
    Silent,
    /// It has no equal because nothing needs it: a comment says so.
    Needless(&'static str),
    /// It has no equal, and something is lost: a comment says what, and the summary as well.
    Lost(&'static str),
}

/// An attribute in the file.
pub(crate) struct Given<'g> {
    /// The element that it is of.
    pub(crate) element: &'g str,
    pub(crate) name: &'g str,
    pub(crate) value: &'g str,
    pub(crate) place: Place,
}

impl Given<'_> {
    /// As it is written.
    pub(crate) fn what(&self) -> String {
        const SHOWN: usize = 60;
        let short: String = self.value.chars().take(SHOWN).collect();
        let dots = if short.len() < self.value.len() { "…" } else { "" };
        let shown = if self.is_secret() { "…".to_owned() } else { format!("{short}{dots}") };
        format!("{} {}=\"{shown}\"", self.element, self.name)
    }

    /// Its value is not shown to anybody.
    fn is_secret(&self) -> bool {
        let name = self.name.to_ascii_lowercase();
        ["secret", "password", "pass", "key"].iter().any(|word| name.ends_with(word))
    }

    /// Its value as a number; else the file is wrong.
    pub(crate) fn number<N: std::str::FromStr>(&self, draft: &mut Draft) -> Option<N> {
        let number = self.value.trim().parse().ok();
        if number.is_none() {
            let message = format!("`{}` of <{}> is not a number that it can be", self.name, self.element);
            draft.wrong(&self.place, message, format!("Tomcat would not read `{}` either", self.value));
        }
        number
    }
}

/// Applies the rule of an attribute. A value that a property of the Java process decides cannot be known.
pub(crate) fn apply(rule: Rule, given: &Given<'_>, draft: &mut Draft) {
    if given.value.contains("${") && !matches!(rule, Rule::Silent | Rule::Needless(_) | Rule::Lost(_)) {
        let why = "its value is a property of the Java process: write what it was";
        draft.note(table_of(rule), &given.place, &given.what(), why, true);
        return;
    }
    match rule {
        Rule::Silent => {}
        Rule::Needless(why) => draft.note("", &given.place, &given.what(), why, false),
        Rule::Lost(why) => draft.note("", &given.place, &given.what(), why, true),
        Rule::By(work) => work(draft, given),
        Rule::Text(table, key) => draft.set(table, key, quoted(given.value), &given.place, &from(given)),
        Rule::Name(table, key) => {
            let carried = name(given.value);
            if carried != given.value {
                let why = format!("names have 1 to 32 letters, digits, `_` and `-`: it became `{carried}`");
                draft.note(table, &given.place, &given.what(), &why, true);
            }
            draft.set(table, key, quoted(&carried), &given.place, &from(given));
        }
        Rule::Flag(table, key) => match flag(given.value) {
            Some(value) => draft.set(table, key, value.to_string(), &given.place, &from(given)),
            None => draft.wrong(
                &given.place,
                format!("`{}` of <{}> is neither true nor false", given.name, given.element),
                "write `true` or `false`",
            ),
        },
        Rule::Number(table, key, least, most) => {
            let Some(number) = given.number::<i64>(draft) else { return };
            let value = bounded(number, 1, least, most, given, draft, |number| number.to_string());
            draft.set(table, key, value, &given.place, &from(given));
        }
        Rule::Millis(table, key, least, most) => timed(1, (table, key, least, most), given, draft),
        Rule::Seconds(table, key, least, most) => timed(1_000, (table, key, least, most), given, draft),
    }
}

fn timed(
    unit: i64,
    (table, key, least, most): (&'static str, &'static str, u64, u64),
    given: &Given<'_>,
    draft: &mut Draft,
) {
    let Some(number) = given.number::<i64>(draft) else { return };
    let value = bounded(number, unit, least, most, given, draft, time);
    draft.set(table, key, value, &given.place, &from(given));
}

/// The number in its unit, or the bound that it is beyond.
fn bounded(
    number: i64,
    unit: i64,
    least: u64,
    most: u64,
    given: &Given<'_>,
    draft: &mut Draft,
    write: fn(u64) -> String,
) -> String {
    let scaled = u64::try_from(number.saturating_mul(unit)).unwrap_or(0);
    let value = scaled.clamp(least, most);
    if value != scaled {
        let why = format!("{} to {} are possible here", write(least), write(most)).replace('"', "");
        draft.note("", &given.place, &given.what(), &why, true);
    }
    write(value)
}

fn from(given: &Given<'_>) -> String {
    format!("{} {}", given.element, given.name)
}

fn table_of(rule: Rule) -> &'static str {
    match rule {
        Rule::Name(table, _)
        | Rule::Text(table, _)
        | Rule::Flag(table, _)
        | Rule::Number(table, ..)
        | Rule::Millis(table, ..)
        | Rule::Seconds(table, ..) => table,
        _ => "",
    }
}
