//! The rules of PROTOCOL.md: numbered, complete, kept by functions that exist, broken by plants that exist;
//! and rules that are cited exist.

use std::collections::{BTreeMap, BTreeSet};

use super::references::{self, has_function};
use crate::markdown::{LineKind, code_spans, lines};
use crate::{Problem, SourceFile, Tree};

const PAGE: &str = "PROTOCOL.md";
const BUGS: &str = "planted/src/bugs.rs";
/// Every rule has these parts.
const PARTS: [&str; 4] = ["*Reason:*", "*History that breaks it:*", "*Plant:*", "*Kept by:*"];
/// A rule without a plant names a test, or says this.
const NO_TEST: &str = "none: no test catches the violation yet";
/// What may stand between a citation's words: blanks, and what begins a line of a comment.
const BETWEEN: [char; 5] = [' ', '\n', '/', '*', '!'];
/// The bug that is none.
const NO_BUG: &str = "none";

/// One rule of the page.
#[derive(Debug)]
struct Rule {
    number: String,
    line: usize,
    text: String,
}

/// Finds rules that are out of order or incomplete, plants without a rule, and citations of rules that do not
/// exist.
#[must_use]
pub fn protocol(tree: &Tree) -> Vec<Problem> {
    let (Some(page), Some(bugs)) = (tree.file(PAGE), tree.file(BUGS)) else {
        return vec![Problem::new(PAGE, 0, format!("{PAGE} or {BUGS} is missing"), "restore it")];
    };
    let rules = rules(&page.text);
    let mut problems = out_of_order(&page.text);
    let plants = plants(&bugs.text);
    for rule in &rules {
        problems.extend(incomplete(rule));
        problems.extend(wrong_plants(tree, rule, &plants));
        problems.extend(references::check(tree, PAGE, rule.line, part(&rule.text, "*Kept by:*")));
    }
    problems.extend(uncited(&rules, &plants));
    problems.extend(tree.with("md").flat_map(|page| wrong_rows(page, &plants)));
    problems.extend(wrong_citations(tree, page, &rules));
    problems
}

/// The rules of the page, each with all of its text in one line.
fn rules(page: &str) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    let mut within = false;
    for line in lines(page) {
        if let Some((number, _)) = line.text.strip_prefix("### Rule ").and_then(|rest| rest.split_once(':')) {
            rules.push(Rule { number: number.to_owned(), line: line.number, text: String::new() });
            within = true;
        } else if line.text.starts_with('#') {
            within = false;
        } else if let Some(rule) = rules.last_mut().filter(|_| within) {
            rule.text += line.text.trim();
            rule.text.push(' ');
        }
    }
    rules
}

/// What stands after a part's name, up to the next part or the end of its item.
fn part<'a>(text: &'a str, name: &str) -> &'a str {
    let Some((_, rest)) = text.split_once(name) else { return "" };
    rest.split_once(" * *").map_or(rest, |(part, _)| part).split("  ").next().unwrap_or_default().trim()
}

fn out_of_order(page: &str) -> Vec<Problem> {
    let (mut section, mut next) = (String::new(), 1);
    let mut problems = Vec::new();
    for line in lines(page) {
        if let Some(heading) = line.text.strip_prefix("## ") {
            heading.split('.').next().unwrap_or_default().clone_into(&mut section);
            next = 1;
        }
        let Some((number, _)) = line.text.strip_prefix("### Rule ").and_then(|rest| rest.split_once(':'))
        else {
            continue;
        };
        if number != format!("{section}.{next}") {
            let what = format!("the rule is called {number}, and {section}.{next} comes next");
            problems.push(Problem::new(
                PAGE,
                line.number,
                what,
                "number the rules of a section without a gap",
            ));
        }
        next += 1;
    }
    problems
}

fn incomplete(rule: &Rule) -> Vec<Problem> {
    let missing = PARTS.iter().filter(|name| part(&rule.text, name).is_empty());
    let problem = |name: &&str| {
        let what = format!("rule {} has no part {name}", rule.number);
        Problem::new(PAGE, rule.line, what, "say it: a rule without it cannot be judged")
    };
    missing.map(problem).collect()
}

/// The planted bugs by name: the line of each, and the rules that it cites.
fn plants(bugs: &str) -> BTreeMap<String, (usize, BTreeSet<String>)> {
    let named = bugs.lines().enumerate().filter_map(|(at, line)| {
        let name = line.trim().strip_prefix("(\"")?.split('"').next()?;
        let cited = citations(line).into_iter().map(|(number, _)| number).collect();
        (name != NO_BUG).then(|| (name.to_owned(), (at + 1, cited)))
    });
    named.collect()
}

fn wrong_plants(
    tree: &Tree,
    rule: &Rule,
    plants: &BTreeMap<String, (usize, BTreeSet<String>)>,
) -> Vec<Problem> {
    let is_there = |test: &str| tree.with("rs").any(|file| has_function(&file.masked().code, test));
    let planted = part(&rule.text, "*Plant:*");
    let is_none = planted.starts_with("none");
    let wrong = code_spans(planted).filter_map(|name| match plants.get(name) {
        _ if is_none => (!is_there(name)).then(|| format!("there is no test {name}")),
        None => Some(format!("{BUGS} has no bug {name}")),
        Some((line, cited)) => (!cited.contains(&rule.number))
            .then(|| format!("the bug {name} ({BUGS}:{line}) does not cite rule {}", rule.number)),
    });
    let mut wrong: Vec<String> = wrong.collect();
    if code_spans(planted).next().is_none() && planted != NO_TEST {
        wrong.push(format!("rule {} names neither a plant nor a test; it may say {NO_TEST:?}", rule.number));
    }
    let remedy = "name the bug or the test that shows a violation, and the rule at the bug";
    wrong.into_iter().map(|what| Problem::new(PAGE, rule.line, what, remedy)).collect()
}

/// Bugs that no rule names, or that cite a rule which does not name them.
fn uncited(rules: &[Rule], plants: &BTreeMap<String, (usize, BTreeSet<String>)>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, (line, cited)) in plants {
        let names_it = |rule: &&Rule| code_spans(part(&rule.text, "*Plant:*")).any(|plant| plant == name);
        let naming: BTreeSet<&str> = rules.iter().filter(names_it).map(|rule| rule.number.as_str()).collect();
        if naming.is_empty() {
            let what = format!("no rule of {PAGE} names the bug {name}");
            problems.push(Problem::new(BUGS, *line, what, "name it at the rule that it breaks"));
        }
        for number in cited.iter().filter(|number| !naming.contains(number.as_str())) {
            let what = format!("the bug {name} cites rule {number}, which does not name it");
            problems.push(Problem::new(BUGS, *line, what, format!("name it at that rule in {PAGE}")));
        }
    }
    problems
}

/// Rows of a table of plants, in Markdown or in a block of text, that name a bug which does not exist.
fn wrong_rows(page: &SourceFile, plants: &BTreeMap<String, (usize, BTreeSet<String>)>) -> Vec<Problem> {
    let mut in_table = false;
    let mut problems = Vec::new();
    for line in lines(&page.text) {
        let first =
            line.text.trim_start_matches(['|', ' ', '`']).split(['|', ' ', '`']).next().unwrap_or_default();
        if line.kind == LineKind::Prose || line.text.starts_with("```") {
            in_table = false;
        } else if first == "plant" {
            in_table = true;
        } else if in_table
            && first.contains('-')
            && first.starts_with(char::is_alphabetic)
            && !plants.contains_key(first)
        {
            let what = format!("{BUGS} has no bug {first}");
            problems.push(Problem::new(&page.path, line.number, what, "name the bug as it is called now"));
        }
    }
    problems
}

/// Citations in comments of sources and in documents.
fn wrong_citations(tree: &Tree, page: &SourceFile, rules: &[Rule]) -> Vec<Problem> {
    let numbers: BTreeSet<&str> = rules.iter().map(|rule| rule.number.as_str()).collect();
    let headings = page.text.lines().filter_map(|line| line.strip_prefix("## "));
    let sections: BTreeSet<&str> = headings.filter_map(|heading| heading.split('.').next()).collect();
    let is_own = |file: &&SourceFile| file.path.starts_with("tidy/");
    let sources = tree.with("rs").filter(|file| !is_own(file)).map(|file| (file, &file.masked().comments));
    let pages = tree.with("md").map(|file| (file, &file.text));
    let mut problems = Vec::new();
    for (file, text) in sources.chain(pages) {
        let unknown_rules =
            citations(text).into_iter().filter(|(number, _)| !numbers.contains(number.as_str()));
        let unknown_sections =
            cited_sections(text).into_iter().filter(|(number, _)| !sections.contains(number.as_str()));
        for (number, line) in unknown_rules.chain(unknown_sections) {
            let what = format!("{PAGE} has no rule or section {number}");
            problems.push(Problem::new(
                &file.path,
                line,
                what,
                "cite the rule that is meant by its number of today",
            ));
        }
    }
    problems
}

/// Every number after the word rule or rules, and its line: `rule 4.3`, `rules 5.5, 5.13 and 7.13`.
fn citations(text: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (at, word) in text.match_indices("ule") {
        let before = text[..at].chars().next_back();
        let mut rest = text[at + word.len()..].trim_start_matches('s');
        if !matches!(before, Some('r' | 'R')) || !rest.starts_with([' ', '\n']) {
            continue;
        }
        let line = text[..at].matches('\n').count() + 1;
        while let Some((number, after)) = take_number(rest.trim_start_matches(BETWEEN)) {
            found.push((number, line));
            let after = after.trim_start_matches(BETWEEN);
            let joint = [",", "and", "to", "or"].iter().find_map(|joint| after.strip_prefix(joint));
            let Some(next) = joint.filter(|next| next.starts_with(BETWEEN)) else { break };
            rest = next;
        }
    }
    found
}

/// `4.3` at the start, and what follows.
fn take_number(text: &str) -> Option<(String, &str)> {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let section = digits(text);
    let rest = text[section..].strip_prefix('.')?;
    let index = digits(rest);
    (section > 0 && index > 0).then(|| (format!("{}.{}", &text[..section], &rest[..index]), &rest[index..]))
}

/// Every `PROTOCOL.md, section 4` with its line; a section that is cited by words is cited by what follows.
fn cited_sections(text: &str) -> Vec<(String, usize)> {
    let cited = text.match_indices(PAGE).filter_map(|(at, _)| {
        let rest = text[at + PAGE.len()..].trim_start_matches([')', ',', ' ', '(', '\n', '/']);
        let line = text[..at].matches('\n').count() + 1;
        if let Some(words) = rest.strip_prefix('"') {
            return Some((words.split('"').next().unwrap_or_default().to_owned(), line));
        }
        let rest = rest.strip_prefix("section")?.trim_start();
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        (end > 0).then(|| (rest[..end].to_owned(), line))
    });
    cited.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "## 1. Links\n\n### Rule 1.1: One\n\nText.\n\n* *Reason:* r\n* *History that breaks it:* h\n\
                        * *Plant:* `a-bug`\n* *Kept by:* `a/b.rs` (`go`)\n\n### Rule 1.2: Two\n\nText.\n\n* *Reason:* r\n\
                        * *History that breaks it:* h\n* *Plant:* none: `a_test`\n* *Kept by:* `a/b.rs` (`go`)\n";

    fn found(page: &str, bugs: &str, code: &str) -> Vec<String> {
        let tree = Tree::of(&[(PAGE, page), (BUGS, bugs), ("a/b.rs", code), ("a/t.rs", "fn a_test() {}")]);
        protocol(&tree).into_iter().map(|problem| problem.what).collect()
    }

    const BUG: &str = "[\n    (\"a-bug\", X), // rule 1.1\n    (\"none\", Y),\n]";
    const CODE: &str = "// Rule 1.1; see rules 1.1 and 1.2, and PROTOCOL.md, section 1.\nfn go() {}";

    #[test]
    fn a_complete_page_is_right() {
        assert_eq!(found(GOOD, BUG, CODE), [""; 0]);
    }

    #[test]
    fn numbers_ascend_without_a_gap() {
        let what = found(&GOOD.replace("Rule 1.2", "Rule 1.3"), BUG, "fn go() {}");
        assert_eq!(what, ["the rule is called 1.3, and 1.2 comes next"]);
    }

    #[test]
    fn every_part_is_there_and_names_what_exists() {
        assert_eq!(
            found(&GOOD.replacen("* *Reason:* r\n", "", 1), BUG, CODE),
            ["rule 1.1 has no part *Reason:*"]
        );
        assert_eq!(found(&GOOD.replace("a_test", "no_test"), BUG, CODE), ["there is no test no_test"]);
        assert_eq!(found(GOOD, BUG, "fn stop() {}").len(), 2, "both rules name `go`");
        let silent = GOOD.replace("none: `a_test`", "none: not yet");
        assert!(found(&silent, BUG, CODE)[0].contains("neither a plant nor a test"));
    }

    #[test]
    fn bugs_and_rules_name_each_other() {
        let bugs = BUG.replace("// rule 1.1", "");
        assert_eq!(
            found(GOOD, &bugs, CODE),
            ["the bug a-bug (planted/src/bugs.rs:2) does not cite rule 1.1"]
        );
        let more = BUG.replace("    (\"none\"", "    (\"b-bug\", Z), // rule 1.2\n    (\"none\"");
        let what = found(GOOD, &more, CODE);
        assert!(what[0].contains("names the bug b-bug") && what[1].contains("cites rule 1.2"), "{what:?}");
        assert!(found(&GOOD.replace("`a-bug`", "`c-bug`"), BUG, CODE)[0].contains("has no bug c-bug"));
    }

    #[test]
    fn tables_of_plants_name_bugs() {
        let page = "| plant | slip |\n|---|---|\n| `a-bug` | x |\n| `b-bug` | x |\n\n```text\nplant  seeds\nc-bug  1\na-bug  1\n```";
        let found = wrong_rows(Tree::of(&[("a.md", page)]).file("a.md").unwrap(), &plants(BUG));
        assert_eq!(found.iter().map(|problem| problem.line).collect::<Vec<_>>(), [4, 8]);
    }

    #[test]
    fn cited_rules_and_sections_exist() {
        assert_eq!(
            found(GOOD, BUG, "/// As rules 1.1, 1.2 and\n/// 1.9 say.\nfn go() {}"),
            ["PROTOCOL.md has no rule or section 1.9"]
        );
        assert_eq!(
            found(GOOD, BUG, "// [PROTOCOL.md](../PROTOCOL.md), section 7\nfn go() {}"),
            ["PROTOCOL.md has no rule or section 7"]
        );
        let by_words = found(GOOD, BUG, "// See PROTOCOL.md, \"Lease\".\nfn go() {}");
        assert_eq!(by_words, ["PROTOCOL.md has no rule or section Lease"]);
    }
}
