//! Markdown as far as checks need it: which lines are prose, what is code in them, links and headings.

/// One line of a document.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    /// From 1.
    pub(crate) number: usize,
    pub(crate) text: &'a str,
    pub(crate) kind: LineKind<'a>,
}

/// What a line is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineKind<'a> {
    /// Prose, a list, a heading.
    Prose,
    /// A table.
    Row,
    /// A block of code in this language, or one of its fences.
    Code(&'a str),
}

/// The lines of a document.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut fence: Option<&str> = None;
    text.lines().enumerate().map(move |(index, text)| {
        let opens = text.trim_start().strip_prefix("```");
        let kind = match (fence, opens) {
            (Some(language), Some(_)) => {
                fence = None;
                LineKind::Code(language)
            }
            (Some(language), None) => LineKind::Code(language),
            (None, Some(language)) => {
                let language = language.split([',', ' ']).next().unwrap_or("");
                fence = Some(language);
                LineKind::Code(language)
            }
            (None, None) if text.trim_start().starts_with('|') => LineKind::Row,
            (None, None) => LineKind::Prose,
        };
        Line { number: index + 1, text, kind }
    })
}

/// What stands between backticks in a line.
pub(crate) fn code_spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The targets of the links in a line.
pub(crate) fn link_targets(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("](").filter_map(|(at, _)| line[at + 2..].split([')', ' ']).next())
}

/// The anchors that a document's headings have, as GitHub makes them.
pub(crate) fn anchors(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in lines(text).filter(|line| line.kind == LineKind::Prose) {
        let Some(heading) = line.text.strip_prefix('#').map(|rest| rest.trim_start_matches('#')) else {
            continue;
        };
        let Some(heading) = heading.strip_prefix(' ') else { continue };
        let kept = heading.trim().to_lowercase();
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let same = |known: &&String| **known == anchor || known.strip_prefix(&anchor).is_some_and(is_number);
        match found.iter().filter(same).count() {
            0 => found.push(anchor),
            count => found.push(format!("{anchor}-{count}")),
        }
    }
    found
}

fn is_number(rest: &str) -> bool {
    rest.strip_prefix('-').is_some_and(|number| number.chars().all(|c| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_tables_and_prose_are_told_apart() {
        let kinds: Vec<_> = lines("a\n```toml\nb\n```\n| c |\nd").map(|line| line.kind).collect();
        let code = LineKind::Code("toml");
        assert_eq!(kinds, [LineKind::Prose, code, code, code, LineKind::Row, LineKind::Prose]);
    }

    #[test]
    fn anchors_are_those_of_github() {
        assert_eq!(anchors("# One, two `x`\n## A\n## A\n```\n# no\n```"), ["one-two-x", "a", "a-1"]);
        assert_eq!(link_targets("[a](b.md#c) and [d](#e)").collect::<Vec<_>>(), ["b.md#c", "#e"]);
        assert_eq!(code_spans("a `b` c `d/e`").collect::<Vec<_>>(), ["b", "d/e"]);
    }
}
