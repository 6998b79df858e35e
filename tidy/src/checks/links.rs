//! Links in Markdown: the file is there, and so is the heading.

use crate::markdown::{LineKind, anchors, lines, link_targets};
use crate::{Problem, Tree};

/// Finds links to files and headings that do not exist. Addresses on the network are not looked at.
#[must_use]
pub fn links(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in tree.with("md") {
        let prose = lines(&file.text).filter(|line| !matches!(line.kind, LineKind::Code(_)));
        for line in prose {
            for target in link_targets(line.text).filter(|target| !target.contains("://")) {
                if let Some(what) = broken(tree, &file.path, target) {
                    problems.push(Problem::new(&file.path, line.number, what, "name what is there now"));
                }
            }
        }
    }
    problems
}

fn broken(tree: &Tree, page: &str, target: &str) -> Option<String> {
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() { page.to_owned() } else { joined(page, path) };
    if !tree.has(&path) {
        return Some(format!("the link leads to {path}, which does not exist"));
    }
    let text = tree.file(&path).filter(|_| path.ends_with(".md"))?;
    let is_there = anchor.is_empty() || anchors(&text.text).iter().any(|known| known == anchor);
    (!is_there).then(|| format!("{path} has no heading #{anchor}"))
}

/// `target`, seen from the folder of `page`, as seen from the root.
pub(super) fn joined(page: &str, target: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_headings_must_be_there() {
        let page = "[a](../README.md#two-words) [b](c.md) [d](#own)\n[e](https://example.com/x)\n# Own\n```\n[x](y)\n```";
        let tree = Tree::of(&[("docs/a.md", page), ("README.md", "# Two words")]);
        let found: Vec<String> = links(&tree).into_iter().map(|problem| problem.what).collect();
        assert_eq!(found, ["the link leads to docs/c.md, which does not exist"]);
        let tree = Tree::of(&[("docs/a.md", page), ("docs/c.md", ""), ("README.md", "# One")]);
        assert_eq!(links(&tree)[0].what, "README.md has no heading #two-words");
    }
}
