//! What documents name must exist: files, configuration keys, verbs, metrics. And every verb is shown.

use std::collections::{BTreeMap, BTreeSet};

use super::links::joined;
use crate::markdown::{Line, LineKind, code_spans, lines};
use crate::{Problem, SourceFile, Tree};

/// Folders at the root of the repository: a name that begins with one is a path.
const ROOTS: [&str; 9] = [".ci", "crates", "docs", "fuzz", "planted", "rig", "samples", "sim", "tidy"];
/// Where the tables of a node's configuration declare their keys.
const NODE_KEYS: &str = "crates/config/src/table";
/// Where serde reads the keys of the other files: the balancer's, and the manifest of an archive.
const FIELD_KEYS: [&str; 7] = [
    "crates/balancer/src/config.rs",
    "crates/balancer/src/config/distribution.rs",
    "crates/http-server/src/limits.rs",
    "crates/http-server/src/tls/client.rs",
    "crates/http-server/src/tls_config.rs",
    "crates/apps/src/archive/manifest.rs",
    "crates/apps/src/component/limits.rs",
];
/// Where the verbs of the program are.
const VERBS: &str = "crates/cli/src/verbs.rs";
/// What is added to the name of a metric.
const SUFFIXES: [&str; 5] = ["_total", "_seconds", "_bucket", "_count", "_sum"];
/// A table of other programs' files, as a page shows them.
const FOREIGN_TABLE: &str = "dependencies";
/// The record of changes names what was there then.
const RECORD: &str = "CHANGELOG.md";

/// Finds names in Markdown of files, keys, verbs and metrics that are not there.
#[must_use]
pub fn documents(tree: &Tree) -> Vec<Problem> {
    let names = Names::of(tree);
    let mut problems = Vec::new();
    for file in tree.with("md").filter(|file| file.path != RECORD) {
        let mut table = String::new();
        for line in lines(&file.text) {
            let wrong = match line.kind {
                LineKind::Code("toml") => names.wrong_in_toml(&line, &mut table).into_iter().collect(),
                LineKind::Code(_) => {
                    names.wrong_verbs(line.text.split_once('#').map_or(line.text, |(code, _)| code))
                }
                _ => code_spans(line.text).flat_map(|span| names.wrong_in_span(tree, file, span)).collect(),
            };
            let wrong = wrong.into_iter().chain(names.wrong_metrics(line.text));
            let remedy = "name what is there now, or take the sentence out";
            problems.extend(wrong.map(|what| Problem::new(&file.path, line.number, what, remedy)));
        }
    }
    problems.extend(unshown_verbs(tree, &names.verbs));
    problems
}

/// Verbs that no page shows to users.
fn unshown_verbs(tree: &Tree, verbs: &BTreeSet<String>) -> Vec<Problem> {
    let shows = |page: &SourceFile, verb: &str| {
        ["sessile ", "cargo run --release -- "].iter().any(|before| {
            let follow = page.text.match_indices(before).map(|(at, _)| &page.text[at + before.len()..]);
            follow
                .into_iter()
                .any(|rest| rest.split(|c: char| !(c.is_ascii_lowercase() || c == '-')).next() == Some(verb))
        })
    };
    let is_shown = |verb: &&String| tree.with("md").any(|page| page.path != RECORD && shows(page, verb));
    let unshown = verbs.iter().filter(|verb| !is_shown(verb));
    let problem = |verb| {
        Problem::new(VERBS, 0, format!("no page shows the verb {verb}"), "show it to users: `sessile VERB`")
    };
    unshown.map(problem).collect()
}

/// What there is to be named.
struct Names {
    /// The keys of each table of a node's configuration.
    keys: BTreeMap<String, BTreeSet<String>>,
    /// Keys and tables of the other files, with `_`.
    fields: BTreeSet<String>,
    verbs: BTreeSet<String>,
    /// Every string in the sources that could be a metric's name.
    words: BTreeSet<String>,
}

impl Names {
    fn of(tree: &Tree) -> Self {
        let fields =
            FIELD_KEYS.iter().filter_map(|path| tree.file(path)).flat_map(|file| fields_of(&file.text));
        let sources = tree.with("rs").filter(|file| file.path.starts_with("crates/"));
        let words = sources.flat_map(|file| strings(&file.text)).map(str::to_owned);
        Self {
            keys: node_keys(tree),
            fields: fields.collect(),
            verbs: tree.file(VERBS).map(|file| variants(&file.text, "enum Verb")).unwrap_or_default(),
            words: words.collect(),
        }
    }

    fn wrong_in_span(&self, tree: &Tree, page: &SourceFile, span: &str) -> Vec<String> {
        let mut wrong = self.wrong_verbs(span);
        if is_path(span) && !exists(tree, page, span) {
            wrong.push(format!("there is no file {span}"));
        }
        if let Some((table, rest)) = table_name(span) {
            let key = rest.split([' ', '=']).find(|word| !word.is_empty());
            wrong.extend(self.wrong_key(table, key));
        }
        wrong
    }

    fn wrong_in_toml(&self, line: &Line<'_>, table: &mut String) -> Option<String> {
        let text = line.text.trim();
        if let Some((name, _)) = table_name(text) {
            name.clone_into(table);
            return self.wrong_key(name, None);
        }
        let (key, _) = text.split_once('=')?;
        let key = key.trim();
        let is_key = key.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '_' | '-'));
        if [FOREIGN_TABLE, "env"].contains(&table.as_str()) || key.is_empty() || !is_key {
            None
        } else {
            self.wrong_key(table, Some(key))
        }
    }

    fn wrong_key(&self, table: &str, key: Option<&str>) -> Option<String> {
        let is_field = |name: &str| self.fields.contains(&name.replace('-', "_"));
        let Some(keys) = self.keys.get(table) else {
            let is_known = table.is_empty() || table == FOREIGN_TABLE || table.split('.').all(is_field);
            let is_known = is_known && key.is_none_or(is_field);
            return (!is_known).then(|| format!("there is no key {} in [{table}]", key.unwrap_or("at all")));
        };
        let key = key.filter(|key| !keys.contains(*key) && !is_field(key))?;
        Some(format!("there is no key {key} in [{table}]"))
    }

    /// `sessile VERB`, where that begins a span or a command.
    fn wrong_verbs(&self, code: &str) -> Vec<String> {
        let commands = code.split(['|', ';']).flat_map(|part| part.split("&&"));
        let verbs = commands.filter_map(|command| {
            let mut words = command.trim().trim_start_matches("$ ").split_whitespace();
            let program = words.next()?;
            (program == "sessile" || program.ends_with("/sessile")).then(|| words.next())?
        });
        let is_word =
            |verb: &&str| verb.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !verb.starts_with('-');
        let unknown = verbs.filter(is_word).filter(|verb| !self.verbs.contains(*verb));
        unknown.map(|verb| format!("there is no verb {verb}")).collect()
    }

    fn wrong_metrics(&self, line: &str) -> Vec<String> {
        let starts = line.match_indices("sessile_").map(|(at, _)| &line[at..]);
        let names = starts.filter_map(|rest| {
            let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '_')).unwrap_or(rest.len());
            (!rest[end..].starts_with("::") && !rest[..end].ends_with('_')).then(|| &rest[..end])
        });
        names.filter(|name| !self.is_metric(name)).map(|name| format!("there is no metric {name}")).collect()
    }

    fn is_metric(&self, name: &str) -> bool {
        let is_known = |name: &str| {
            let bare = name.strip_prefix("sessile_").unwrap_or(name);
            self.words.contains(name) || self.words.contains(bare)
        };
        let mut name = name;
        loop {
            if is_known(name) {
                return true;
            }
            match SUFFIXES.iter().find_map(|suffix| name.strip_suffix(suffix)) {
                Some(shorter) => name = shorter,
                None => return false,
            }
        }
    }
}

/// Whether a span is meant as a path in this repository.
fn is_path(span: &str) -> bool {
    let is_plain = span.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/'));
    let first = span.split('/').next().unwrap_or_default();
    is_plain && (span.ends_with(".rs") || span.contains('/') && ROOTS.contains(&first))
}

/// From the root, from the page's folder, or, for sources, at the end of some path.
fn exists(tree: &Tree, page: &SourceFile, span: &str) -> bool {
    tree.has(span) || tree.has(&joined(&page.path, span)) || span.ends_with(".rs") && tree.has_ending(span)
}

/// `[table]` or `[[table]]` at the start, and what follows.
fn table_name(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('[')?.trim_start_matches('[');
    let (name, rest) = inner.split_once(']')?;
    let is_name =
        !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '.' | '_' | '-'));
    is_name.then(|| (name, rest.trim_start_matches(']')))
}

/// The keys that each table of a node's configuration shows to its visitor.
fn node_keys(tree: &Tree) -> BTreeMap<String, BTreeSet<String>> {
    let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut shared = BTreeSet::new();
    for file in tree.rust(&[NODE_KEYS]) {
        let mut table = String::new();
        let parts = file.text.split("const NAME: &'static str = ").enumerate();
        for (part, text) in parts {
            if part > 0 {
                // Tables within tables have dots in their names.
                text.split('"').nth(1).unwrap_or_default().clone_into(&mut table);
            }
            let calls = text.match_indices("visitor.").map(|(at, _)| &text[at..]);
            let named = calls.filter_map(|call| strings(call.split_once('(')?.1.trim_start()).next());
            match table.as_str() {
                "" => shared.extend(named.map(str::to_owned)),
                table => keys.entry(table.to_owned()).or_default().extend(named.map(str::to_owned)),
            }
        }
    }
    // An application has the keys of a session as well.
    let of_session = keys.get("session").cloned().unwrap_or_default();
    keys.entry("app".to_owned()).or_default().extend(of_session);
    keys.values_mut().for_each(|table| table.extend(shared.iter().cloned()));
    keys
}

/// Strings of small letters, digits, `_` and `-` in a source.
fn strings(text: &str) -> impl Iterator<Item = &str> {
    let is_word = |word: &&str| {
        !word.is_empty()
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'))
    };
    text.split('"').filter(is_word)
}

/// The names of a source's fields.
fn fields_of(text: &str) -> BTreeSet<String> {
    let names = text.lines().filter_map(|line| {
        let (head, _) = line.trim().split_once(": ")?;
        let name = head.rsplit(' ').next()?;
        (name.chars().all(|c| c.is_ascii_lowercase() || c == '_')).then(|| name.to_owned())
    });
    let renamed =
        text.split("rename = \"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned);
    names.chain(renamed).collect()
}

/// The variants of an enum, as words of a command line.
fn variants(text: &str, head: &str) -> BTreeSet<String> {
    let body =
        text.split_once(head).and_then(|(_, rest)| rest.split_once("\n}")).map_or("", |(body, _)| body);
    let names = body.lines().map(str::trim).filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
    names.map(|line| kebab(line.split(['(', ',', ' ']).next().unwrap_or_default())).collect()
}

/// `ServeAll` as `serve-all`.
fn kebab(variant: &str) -> String {
    let mut word = String::new();
    for (at, letter) in variant.chars().enumerate() {
        if at > 0 && letter.is_ascii_uppercase() {
            word.push('-');
        }
        word.push(letter.to_ascii_lowercase());
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str =
        "const NAME: &'static str = \"sender\";\nvisitor.key(\"mode\", x);\nvisitor.key(\n\"max_wait\",";
    const NESTED: &str = "const NAME: &'static str = \"sender.limits\";\nvisitor.key(\"size\", x);";
    const FIELDS: &str = "pub balance: X,\n  /// The cookie: its name.\n  pub cookie: String,\n";

    fn found(page: &str) -> Vec<String> {
        let tree = Tree::of(&[
            ("docs/a.md", page),
            ("README.md", "`sessile serve`"),
            ("crates/config/src/table/transport.rs", TABLE),
            ("crates/config/src/table/limits.rs", NESTED),
            ("crates/balancer/src/config.rs", FIELDS),
            ("crates/cli/src/verbs.rs", "pub enum Verb {\n    /// Run.\n    Serve(X),\n}\n"),
            ("crates/core/src/a.rs", "out.counter(\"acks_late\", \"help\")"),
        ]);
        documents(&tree).into_iter().map(|problem| problem.what).collect()
    }

    #[test]
    fn what_exists_may_be_named() {
        let page = "`[sender] mode`, `[sender.limits] size`, `[balance] cookie = \"x\"`, `sessile serve x`, `a.rs`, `crates/core/src/`, sessile_acks_late_total\n\
                    ```toml\n[sender]\nmax_wait = \"1s\" # x\n```\n```sh\nsessile serve | less\n```";
        assert_eq!(found(page), [""; 0]);
    }

    #[test]
    fn what_does_not_exist_is_found() {
        assert_eq!(found("`[sender] node`"), ["there is no key node in [sender]"]);
        assert_eq!(found("`[sender.limits] mode`"), ["there is no key mode in [sender.limits]"]);
        assert_eq!(found("`[nobody]`"), ["there is no key at all in [nobody]"]);
        assert_eq!(
            found("`sessile halt` and `crates/core/src/b.rs`"),
            ["there is no verb halt", "there is no file crates/core/src/b.rs"]
        );
        assert_eq!(found("`sessile_acks_early_total`"), ["there is no metric sessile_acks_early_total"]);
        assert_eq!(found("```toml\n[sender]\nhost = 1\n```"), ["there is no key host in [sender]"]);
        assert_eq!(found("```sh\nsessile serve && sessile halt\n```"), ["there is no verb halt"]);
    }
    #[test]
    fn every_verb_is_shown() {
        let verbs = (
            "crates/cli/src/verbs.rs",
            "pub enum Verb {\n    Serve(X),\n    Stop(X),\n    TopTen(X),\n    ImportXml(X),\n}\n",
        );
        let tree = Tree::of(&[
            verbs,
            (
                "a.md",
                "sessile serve; cargo run --release -- top-ten\nsessile stopped; sessile import-xml-file",
            ),
        ]);
        let found: Vec<String> = documents(&tree).into_iter().map(|problem| problem.what).collect();
        assert_eq!(found, ["no page shows the verb import-xml", "no page shows the verb stop"]);
    }
}
