//! A place in the source that can be changed, and how the change is woven in.

use std::fmt;
use std::ops::Range;

/// The kind of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A comparison is turned or loses its equality.
    Comparison,
    /// A condition, or a part of one, is dropped or negated.
    Condition,
    /// A statement is deleted.
    Statement,
    /// A constant is changed.
    Constant,
    /// Arithmetic, or a choice of the greater or the smaller, is turned.
    Arithmetic,
    /// Two arguments are swapped.
    Arguments,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Comparison => "comparison",
            Self::Condition => "condition",
            Self::Statement => "statement",
            Self::Constant => "constant",
            Self::Arithmetic => "arithmetic",
            Self::Arguments => "arguments",
        };
        f.pad(name)
    }
}

/// One change of one place.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    /// The bytes of the file that it replaces.
    pub(crate) range: Range<usize>,
    /// Its kind.
    pub(crate) kind: Kind,
    /// The other expression; `None` deletes a statement.
    pub(crate) other: Option<String>,
    /// The function that it is in.
    pub(crate) function: String,
    /// Its line, from one.
    pub(crate) line: usize,
}

/// A file with the points that are woven into it, each under its number.
pub(crate) struct Woven {
    /// The text.
    pub(crate) text: String,
    /// Where the points lie in it.
    pub(crate) places: Vec<Place>,
}

/// Where a point lies in a woven text.
pub(crate) struct Place {
    pub(crate) number: u32,
    /// All that stands in the place of the original.
    pub(crate) whole: Range<usize>,
    /// The other expression in it.
    pub(crate) other: Range<usize>,
}

/// Weaves points into a source. Points lie side by side or within each other, never across.
pub(crate) fn weave(source: &str, points: &[(u32, &Point)]) -> Woven {
    let mut sorted: Vec<_> = points.to_vec();
    sorted.sort_by_key(|(number, point)| (point.range.start, usize::MAX - point.range.end, *number));
    let mut woven = Woven { text: String::new(), places: Vec::new() };
    let mut rest = sorted.as_slice();
    write(source, 0..source.len(), &mut rest, &mut woven);
    woven
}

/// Writes a part of the source with the points in it.
fn write(source: &str, part: Range<usize>, rest: &mut &[(u32, &Point)], woven: &mut Woven) {
    let mut at = part.start;
    while let Some(((number, point), later)) = rest.split_first() {
        if point.range.start >= part.end || point.range.end > part.end {
            break;
        }
        *rest = later;
        woven.text += &source[at..point.range.start];
        let begin = woven.text.len();
        let condition = format!("crate::mutant::on({number})");
        let other = match &point.other {
            Some(other) => {
                woven.text += &format!("(if {condition} {{ ");
                let from = woven.text.len();
                woven.text += other;
                let other = from..woven.text.len();
                woven.text += " } else { ";
                write(source, point.range.clone(), rest, woven);
                woven.text += " })";
                other
            }
            None => {
                woven.text += &format!("if !{condition} {{ ");
                write(source, point.range.clone(), rest, woven);
                woven.text += " }";
                begin..begin
            }
        };
        woven.places.push(Place { number: *number, whole: begin..woven.text.len(), other });
        at = point.range.end;
    }
    woven.text += &source[at..part.end];
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(range: Range<usize>, other: Option<&str>) -> Point {
        let (other, function) = (other.map(str::to_owned), String::new());
        Point { range, kind: Kind::Condition, other, function, line: 1 }
    }

    #[test]
    fn points_within_each_other_are_woven_into_the_unchanged_branch() {
        let source = "let a = b && c;";
        let (outer, inner) = (point(8..14, Some("b")), point(13..14, Some("!c")));
        let woven = weave(source, &[(1, &outer), (2, &inner)]);
        let expected = "let a = (if crate::mutant::on(1) { b } else { b && (if crate::mutant::on(2) { !c } else { c }) });";
        assert_eq!(woven.text, expected);
        let others: Vec<_> = woven.places.iter().map(|place| &woven.text[place.other.clone()]).collect();
        assert_eq!(others, ["!c", "b"]);
    }

    #[test]
    fn a_deleted_statement_keeps_its_semicolon_inside() {
        let woven = weave("a(); b();", &[(3, &point(0..4, None))]);
        assert_eq!(woven.text, "if !crate::mutant::on(3) { a(); } b();");
    }
}
