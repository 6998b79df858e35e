//! The glossary for users explains every word of ARCHITECTURE.md, "Words".

use std::collections::BTreeSet;

use crate::markdown::{LineKind, lines};
use crate::{Problem, Tree};

const PAGE: &str = "docs/glossary.md";
const WORDS: &str = "ARCHITECTURE.md";
const HEADING: &str = "## Words";

/// Finds words that the glossary lacks, and words that it explains twice.
#[must_use]
pub fn glossary(tree: &Tree) -> Vec<Problem> {
    let (Some(page), Some(words)) = (tree.file(PAGE), tree.file(WORDS)) else {
        return vec![Problem::new(PAGE, 0, format!("{PAGE} or {WORDS} is missing"), "restore it")];
    };
    let mut explained = BTreeSet::new();
    let mut problems = Vec::new();
    for (line, word) in rows(&page.text) {
        if !explained.insert(word) {
            let what = format!("{word:?} is explained twice");
            problems.push(Problem::new(PAGE, line, what, "keep one of the two"));
        }
    }
    let before = words.text.split(HEADING).next().unwrap_or_default();
    for (line, word) in rows(&words.text[before.len()..]) {
        if !explained.contains(word) {
            let what = format!("the word {word:?} is not in {PAGE}");
            let line = line + before.matches('\n').count();
            problems.push(Problem::new(WORDS, line, what, "explain it there in one sentence"));
        }
    }
    problems
}

/// The words in the first column of all tables: `birth, birth mark` is two, `clock (of a session)` is
/// `clock`.
fn rows(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let rows = lines(text).filter(|line| line.kind == LineKind::Row);
    let cells = rows.filter_map(|line| Some((line.number, line.text.split('|').nth(1)?.trim())));
    let words = cells.filter(|(_, cell)| *cell != "word" && !cell.starts_with("--"));
    words.flat_map(|(line, cell)| {
        let cell = cell.split(" (").next().unwrap_or_default();
        cell.split(", ").map(move |word| (line, word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE_TEXT: &str = "| word | is |\n|---|---|\n| clock | x |\n| birth, birth mark | x |\n";

    fn found(page: &str, words: &str) -> Vec<String> {
        let tree = Tree::of(&[(PAGE, page), (WORDS, words)]);
        glossary(&tree).into_iter().map(|problem| format!("{}: {}", problem.line, problem.what)).collect()
    }

    #[test]
    fn every_word_is_explained_once() {
        let words = "| crate | may |\n\n## Words\n\n| word | is |\n|---|---|\n| clock (of a session) | x |\n| birth, birth mark | x |\n";
        assert_eq!(found(PAGE_TEXT, words), [""; 0]);
        let more = format!("{words}| epoch | x |\n");
        assert_eq!(found(PAGE_TEXT, &more), ["9: the word \"epoch\" is not in docs/glossary.md"]);
        let twice = format!("{PAGE_TEXT}| clock | y |\n");
        assert_eq!(found(&twice, words), ["5: \"clock\" is explained twice"]);
    }
}
