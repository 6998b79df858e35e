//! Evaluates `If-None-Match`, `Range` and `If-Range`.

use std::ops::RangeInclusive;

use http::header::{IF_NONE_MATCH, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderName};

/// The part of a file to send.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// The client has the file already.
    Unchanged,
    Range(RangeInclusive<u64>),
    /// A range beyond the file.
    Outside,
}

/// The part of a file with this tag and length that a request gets.
pub(super) fn part(asked: &HeaderMap, tag: &str, length: u64) -> Part {
    let text = |name: HeaderName| asked.get(name).and_then(|value| value.to_str().ok());
    if text(IF_NONE_MATCH).is_some_and(|known| names(known, tag)) {
        return Part::Unchanged;
    }
    // A date is not compared: the whole file is always a valid response.
    let is_same = text(IF_RANGE).is_none_or(|known| known.trim() == tag);
    match text(RANGE).filter(|_| is_same).and_then(|range| range.strip_prefix("bytes=")) {
        Some(range) => one_range(range, length),
        None => Part::Whole,
    }
}

/// Whether a list of tags contains this one.
fn names(list: &str, tag: &str) -> bool {
    list.split(',')
        .map(|known| known.trim().trim_start_matches("W/"))
        .any(|known| known == tag || known == "*")
}

/// Several ranges, and invalid ranges, get the whole file.
fn one_range(range: &str, length: u64) -> Part {
    let Some((first, last)) = range.trim().split_once('-') else { return Part::Whole };
    let number = |text: &str| text.parse::<u64>().ok();
    let (first, last) = match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => (first, last),
        (Some(first), None) if last.is_empty() => (first, u64::MAX),
        (None, Some(0)) if first.is_empty() => return Part::Outside,
        (None, Some(end)) if first.is_empty() => (length.saturating_sub(end), u64::MAX),
        _ => return Part::Whole,
    };
    if first >= length { Part::Outside } else { Part::Range(first..=last.min(length - 1)) }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn wanted(headers: &[(HeaderName, &str)]) -> Part {
        let headers =
            headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()));
        part(&headers.collect(), "\"t\"", 10)
    }

    #[test]
    fn a_range_is_cut_to_the_file() {
        for (range, part) in [
            ("bytes=0-3", Part::Range(0..=3)),
            ("bytes=4-", Part::Range(4..=9)),
            ("bytes=-3", Part::Range(7..=9)),
            ("bytes=-30", Part::Range(0..=9)),
            ("bytes=8-99", Part::Range(8..=9)),
            ("bytes=10-", Part::Outside),
            ("bytes=-0", Part::Outside),
            ("bytes=3-1", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("lines=1-2", Part::Whole),
        ] {
            assert_eq!(wanted(&[(RANGE, range)]), part, "{range}");
        }
    }

    #[test]
    fn tags_decide_before_ranges() {
        assert_eq!(wanted(&[(IF_NONE_MATCH, "\"a\", W/\"t\""), (RANGE, "bytes=0-1")]), Part::Unchanged);
        assert_eq!(wanted(&[(IF_NONE_MATCH, "\"a\"")]), Part::Whole);
        assert_eq!(wanted(&[(IF_RANGE, "\"old\""), (RANGE, "bytes=0-1")]), Part::Whole);
        assert_eq!(wanted(&[(IF_RANGE, "\"t\""), (RANGE, "bytes=0-1")]), Part::Range(0..=1));
    }
}
