//! Guides through the code name items that exist: `` `crates/core/src/node.rs` (`Node::commit`) ``.
//!
//! A file in backticks, then items of it in parentheses. In place of the file a folder stands for all sources
//! below it: a reference to a function that may move between the files of a room.

use crate::markdown::{LineKind, lines};
use crate::{Problem, Tree};

/// The pages; each of their numbered steps names a file.
const GUIDES: [&str; 2] = ["CONTRIBUTING.md", "docs/walk.md"];
/// The page whose steps each name an item as well.
const WALK: &str = "docs/walk.md";
/// What may declare an item.
const KEYWORDS: [&str; 9] =
    ["fn ", "struct ", "enum ", "trait ", "const ", "static ", "type ", "mod ", "macro_rules! "];
/// What stands before a type that has items: `impl T`, `impl<S> T`, `impl X for T`, `trait T`.
const OWNS: [&str; 4] = ["impl ", "> ", "for ", "trait "];
const REMEDY: &str = "name what is there now, or take the sentence out";

/// Finds references to items that do not exist, and steps of a guide that lead nowhere.
#[must_use]
pub fn guides(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for path in GUIDES {
        let Some(page) = tree.file(path) else {
            problems.push(Problem::new(path, 0, "the guide is missing", "restore it"));
            continue;
        };
        for block in blocks(&page.text) {
            let references = references(&block.text);
            let wrong = references.iter().flat_map(|reference| reference.wrong(tree));
            let problem = |(line, what)| Problem::new(path, block.line + line, what, REMEDY);
            problems.extend(wrong.map(problem));
            if let Some(missing) = missing(tree, path, &block.text, &references) {
                let remedy = "say in backticks where in the code this is";
                problems.push(Problem::new(path, block.line, missing, remedy));
            }
        }
    }
    problems
}

/// What a numbered step lacks.
fn missing(tree: &Tree, page: &str, text: &str, references: &[Reference<'_>]) -> Option<&'static str> {
    let is_step = text.split_once(". ").is_some_and(|(number, _)| number.parse::<u32>().is_ok());
    let names_item = page != WALK || !references.is_empty();
    let names_file = spans(text).any(|(_, span, _)| span.contains(['/', '.']) && tree.has(span));
    match (is_step, names_item, names_file) {
        (false, ..) | (true, true, true) => None,
        (true, false, _) => Some("the step names no item of the code, as `file.rs` (`item`)"),
        (true, true, false) => Some("the step names no file"),
    }
}

/// A paragraph, or an item of a list.
struct Block {
    /// Of its first line.
    line: usize,
    text: String,
}

/// The blocks of a page, without its code.
fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_open = false;
    for line in lines(page) {
        let text = line.text.trim();
        if text.is_empty() || matches!(line.kind, LineKind::Code(_)) {
            is_open = false;
            continue;
        }
        let number = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
        let begins = text.starts_with(['#', '|', '*']) || number > 0 && text[number..].starts_with(". ");
        match blocks.last_mut().filter(|_| is_open && !begins) {
            Some(block) => {
                block.text.push('\n');
                block.text += text;
            }
            None => blocks.push(Block { line: line.number, text: text.to_owned() }),
        }
        is_open = true;
    }
    blocks
}

/// What stands between backticks, with its line within the block and the text up to the next backtick.
fn spans(block: &str) -> impl Iterator<Item = (usize, &str, &str)> {
    let parts: Vec<&str> = block.split('`').collect();
    let mut line = 0;
    let mut found = Vec::new();
    for pair in parts.chunks(2) {
        line += pair[0].matches('\n').count();
        if let [_, span] = pair {
            found.push((line, *span));
            line += span.matches('\n').count();
        }
    }
    found
        .into_iter()
        .enumerate()
        .map(move |(at, (line, span))| (line, span, parts.get(at * 2 + 2).copied().unwrap_or_default()))
}

/// A file or folder and the items that it is to have.
struct Reference<'a> {
    place: &'a str,
    /// Each with its line within the block.
    items: Vec<(usize, &'a str)>,
}

/// The references of a block: `` `place` (`item`, `item` and `item`) ``.
fn references(block: &str) -> Vec<Reference<'_>> {
    let mut found: Vec<Reference<'_>> = Vec::new();
    let mut is_within = false;
    for (line, span, after) in spans(block) {
        if is_within && let Some(reference) = found.last_mut() {
            reference.items.push((line, span));
            is_within = matches!(after.trim(), "," | "and");
        } else if after.trim() == "(" && (span.ends_with(".rs") || span.contains('/')) {
            found.push(Reference { place: span, items: Vec::new() });
            is_within = true;
        }
    }
    found
}

impl Reference<'_> {
    /// What of it does not exist.
    fn wrong(&self, tree: &Tree) -> Vec<(usize, String)> {
        let place = self.place.trim_end_matches('/');
        let sources: Vec<&str> = tree.rust(&[place]).map(|file| file.masked().code.as_str()).collect();
        let has = |item: &str| sources.iter().any(|code| declares(code, item));
        if sources.is_empty() {
            let line = self.items.first().map_or(0, |(line, _)| *line);
            return vec![(line, format!("there is no source {place}, seen from the root"))];
        }
        let missing = self.items.iter().filter(|(_, item)| !has(item));
        missing.map(|(line, item)| (*line, format!("{place} declares no {item}"))).collect()
    }
}

/// Whether code declares an item of that name; of `Type::item` it has items of the type as well.
fn declares(code: &str, item: &str) -> bool {
    let (owner, name) = item.rsplit_once("::").map_or((None, item), |(owner, name)| (Some(owner), name));
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let has = |before: &str, name: &str| {
        code.match_indices(&format!("{before}{name}")).any(|(at, found)| {
            let follows = code[at + found.len()..].starts_with(is_name);
            !follows && !code[..at].ends_with(is_name)
        })
    };
    let is_declared = KEYWORDS.iter().any(|keyword| has(keyword, name));
    is_declared && owner.is_none_or(|owner| OWNS.iter().any(|before| has(before, owner)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str =
        "struct Node;\nimpl Node { pub fn commit(&self) {} }\nconst MOST: u8 = 1; // fn gone()";

    fn found(page: &str, text: &str) -> Vec<String> {
        let mut files = vec![("crates/a/src/b.rs", CODE), ("a.txt", "x"), (page, text)];
        files.extend(GUIDES.into_iter().filter(|guide| *guide != page).map(|guide| (guide, "")));
        guides(&Tree::of(&files))
            .into_iter()
            .map(|problem| format!("{}: {}", problem.line, problem.what))
            .collect()
    }

    #[test]
    fn what_exists_may_be_named() {
        let page = "See `crates/a/src/b.rs`\n(`Node::commit`, `MOST` and\n`Node`), `crates/a/src` (`commit`) or `z` (`q`).\n\
                    ```text\n`crates/a/src/b.rs` (`none`)\n```\n| `a.txt` (text) | `commit` |";
        assert_eq!(found("CONTRIBUTING.md", page), [""; 0]);
    }

    #[test]
    fn what_does_not_exist_is_found_with_its_line() {
        let page = "One.\n\nTwo `crates/a/src/b.rs` (`commit`,\n`gone`), `crates/a/src/c.rs` (`x`)\n* `crates/a/src` (`Other::commit`)";
        assert_eq!(
            found("CONTRIBUTING.md", page),
            [
                "4: crates/a/src/b.rs declares no gone",
                "4: there is no source crates/a/src/c.rs, seen from the root",
                "5: crates/a/src declares no Other::commit"
            ]
        );
        assert_eq!(
            found("CONTRIBUTING.md", "`crates/a/src/b.rs` (`comm`)").len(),
            1,
            "a part of a name is none"
        );
    }

    #[test]
    fn a_step_says_where() {
        let steps = "1. Write `a.txt`.\n2. Think.\n   Then rest.\n\nNo step.";
        assert_eq!(found("CONTRIBUTING.md", steps), ["2: the step names no file"]);
        let walk = "1. It goes on in `crates/a/src/b.rs`.\n2. Then `crates/a/src/b.rs` (`commit`).";
        assert_eq!(found(WALK, walk), ["1: the step names no item of the code, as `file.rs` (`item`)"]);
    }

    #[test]
    fn a_guide_is_there() {
        assert_eq!(guides(&Tree::of(&[])).len(), GUIDES.len());
    }
}
