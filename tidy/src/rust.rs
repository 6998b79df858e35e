//! Rust sources as far as checks need them: code without comments and strings, paths that are named, items.

/// The code of a file with comments and the content of strings as blanks, and the comments alone; lines stay
/// lines.
#[derive(Debug)]
pub(crate) struct Masked {
    pub(crate) code: String,
    pub(crate) comments: String,
}

/// What the scanner is in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Code,
    LineComment,
    BlockComment(usize),
    /// A string that ends with a quote and so many `#`; a plain one has escapes.
    Text {
        hashes: usize,
        escapes: bool,
    },
}

/// Tells code from comments and strings.
pub(crate) fn mask(text: &str) -> Masked {
    let bytes: Vec<char> = text.chars().collect();
    let (mut code, mut comments) = (String::with_capacity(text.len()), String::with_capacity(text.len()));
    let (mut within, mut at) = (Within::Code, 0);
    while at < bytes.len() {
        let (next, taken) = step(&bytes, at, within);
        for &c in &bytes[at..at + taken] {
            let blank = if c == '\n' { '\n' } else { ' ' };
            let is_code = within == Within::Code && next == Within::Code;
            let is_comment = matches!(within, Within::LineComment | Within::BlockComment(_));
            code.push(if is_code { c } else { blank });
            comments.push(if is_comment { c } else { blank });
        }
        (within, at) = (next, at + taken);
    }
    Masked { code, comments }
}

/// What follows at `at`, and how many characters that takes.
fn step(text: &[char], at: usize, within: Within) -> (Within, usize) {
    let starts = |pattern: &str| pattern.chars().enumerate().all(|(i, c)| text.get(at + i) == Some(&c));
    match within {
        Within::LineComment if text[at] == '\n' => (Within::Code, 1),
        Within::LineComment => (within, 1),
        Within::BlockComment(depth) if starts("*/") => {
            (if depth == 1 { Within::Code } else { Within::BlockComment(depth - 1) }, 2)
        }
        Within::BlockComment(depth) if starts("/*") => (Within::BlockComment(depth + 1), 2),
        Within::BlockComment(_) => (within, 1),
        Within::Text { escapes: true, .. } if text[at] == '\\' => (within, 2.min(text.len() - at)),
        Within::Text { hashes, .. } => {
            let ends = text[at] == '"' && (1..=hashes).all(|i| text.get(at + i) == Some(&'#'));
            if ends { (Within::Code, 1 + hashes) } else { (within, 1) }
        }
        Within::Code if starts("//") => (Within::LineComment, 2),
        Within::Code if starts("/*") => (Within::BlockComment(1), 2),
        Within::Code => in_code(text, at),
    }
}

fn in_code(text: &[char], at: usize) -> (Within, usize) {
    let follows_name = at > 0 && is_name(text[at - 1]);
    match text[at] {
        '"' => (Within::Text { hashes: 0, escapes: true }, 1),
        'r' if !follows_name || text[at - 1] == 'b' => {
            let hashes = text[at + 1..].iter().take_while(|c| **c == '#').count();
            match text.get(at + 1 + hashes) {
                Some('"') => (Within::Text { hashes, escapes: false }, 2 + hashes),
                _ => (Within::Code, 1),
            }
        }
        '\'' => {
            let escaped = text.get(at + 1) == Some(&'\\');
            let end =
                text[at + 1..].iter().take(12).skip(if escaped { 2 } else { 1 }).position(|c| *c == '\'');
            match end {
                Some(end) if escaped => (Within::Code, end + 4),
                Some(0) => (Within::Code, 3),
                _ => (Within::Code, 1),
            }
        }
        _ => (Within::Code, 1),
    }
}

/// Whether a name may have this character.
pub(crate) fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Blanks modules that are compiled for tests only.
pub(crate) fn without_tests(code: &str) -> String {
    let mut out = code.to_owned();
    let mut from = 0;
    while let Some(found) = out[from..].find("#[cfg(test)]") {
        let start = from + found;
        let rest = &out[start..];
        let is_module =
            rest.split_whitespace().nth(1).is_some_and(|word| word == "mod" || word.starts_with("#["));
        let end = match (rest.find('{'), rest.find(';')) {
            (Some(open), semicolon) if is_module && semicolon.is_none_or(|semicolon| open < semicolon) => {
                start + closing(rest, open)
            }
            (_, Some(semicolon)) => start + semicolon + 1,
            _ => out.len(),
        };
        let blank: String = out[start..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
        let after = out[end..].to_owned();
        out.truncate(start);
        out += &blank;
        from = out.len();
        out += &after;
    }
    out
}

/// The end of the block that opens at `open`.
fn closing(text: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text[open..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return open + at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// A path that code names, and the line on which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NamedPath {
    pub(crate) path: String,
    pub(crate) line: usize,
    /// It stands in a `pub use`, or in one for this crate or a parent.
    pub(crate) is_exported: bool,
    /// The name that a `use` gives it.
    pub(crate) name: String,
}

/// Every path in masked code: those of `use` one by one, and names joined by `::` elsewhere.
pub(crate) fn paths(code: &str) -> Vec<NamedPath> {
    let mut found = Vec::new();
    let mut scan = Scan { rest: code, line: 1 };
    let mut last = "";
    while let Some(word) = scan.word() {
        let line = scan.line;
        if word == "use" {
            let is_exported = matches!(last, "pub" | "crate" | "super");
            scan.tree("", &mut |path, name| {
                let path = path.trim_end_matches("::self").to_owned();
                let name = name.map_or_else(|| last_of(&path).to_owned(), str::to_owned);
                found.push(NamedPath { path, line, is_exported, name });
            });
        } else {
            let mut path = word.to_owned();
            while let Some(next) = scan.joined() {
                path += "::";
                path += next;
            }
            let name = last_of(&path).to_owned();
            found.push(NamedPath { path, line, is_exported: false, name });
        }
        last = word;
    }
    found
}

fn last_of(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path)
}

struct Scan<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Scan<'a> {
    fn skip(&mut self, bytes: usize) {
        self.line += self.rest[..bytes].matches('\n').count();
        self.rest = &self.rest[bytes..];
    }

    fn skip_blanks(&mut self) {
        let blanks = self.rest.len() - self.rest.trim_start().len();
        self.skip(blanks);
    }

    /// The next name, wherever it is.
    fn word(&mut self) -> Option<&'a str> {
        let start = self.rest.find(is_name)?;
        self.skip(start);
        Some(self.name())
    }

    fn name(&mut self) -> &'a str {
        let end = self.rest.find(|c| !is_name(c)).unwrap_or(self.rest.len());
        let name = &self.rest[..end];
        self.rest = &self.rest[end..];
        name
    }

    /// The name after `::`, if that comes next.
    fn joined(&mut self) -> Option<&'a str> {
        let after = self.rest.strip_prefix("::")?;
        if !after.starts_with(is_name) {
            return None;
        }
        self.rest = after;
        Some(self.name())
    }

    /// One tree of a `use`, after what comes before it.
    fn tree(&mut self, before: &str, found: &mut impl FnMut(&str, Option<&str>)) {
        let mut path = before.to_owned();
        loop {
            self.skip_blanks();
            if self.rest.starts_with('{') {
                self.skip(1);
                self.group(&path, found);
                return;
            }
            if self.rest.starts_with('*') {
                self.skip(1);
                found(&(path + "*"), None);
                return;
            }
            if !self.rest.starts_with(is_name) {
                return;
            }
            path += self.name();
            self.skip_blanks();
            if self.rest.starts_with("::") {
                self.skip(2);
                path += "::";
                continue;
            }
            let renamed = self.rest.starts_with("as ").then(|| {
                self.skip(3);
                self.skip_blanks();
                self.name()
            });
            found(&path, renamed);
            return;
        }
    }

    fn group(&mut self, before: &str, found: &mut impl FnMut(&str, Option<&str>)) {
        loop {
            self.skip_blanks();
            if self.rest.is_empty() {
                return;
            }
            if self.rest.starts_with('}') {
                self.skip(1);
                return;
            }
            if self.rest.starts_with(',') {
                self.skip(1);
                continue;
            }
            let left = self.rest.len();
            self.tree(before, found);
            if self.rest.len() == left {
                self.skip(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_no_code() {
        let masked =
            mask("let a = \"tokio \\\" x\"; // http\n/* a /* b */ c */ r#\"cookie\"#; 'x'; '\\''; &'a b");
        assert!(
            !masked.code.contains("tokio")
                && !masked.code.contains("http")
                && !masked.code.contains("cookie")
        );
        assert!(masked.code.contains("let a =") && masked.code.ends_with("&'a b"), "{}", masked.code);
        assert!(masked.comments.contains("http") && masked.comments.contains(" a "));
    }

    #[test]
    fn modules_for_tests_are_left_out() {
        let code = "use a;\n#[cfg(test)]\nmod tests {\n  use b;\n}\nuse c;\n#[cfg(test)]\n#[path = \"\"]\nmod more;\nuse d;";
        let rest = without_tests(code);
        assert!(
            rest.contains("use a")
                && !rest.contains("use b")
                && rest.contains("use c")
                && rest.contains("use d")
        );
        assert!(!rest.contains("more"));
        assert_eq!(rest.lines().count(), code.lines().count());
    }

    #[test]
    fn a_use_is_taken_apart() {
        let found =
            paths("use std::{fs, net::{self, SocketAddr as Address}};\npub use x::*;\nstd::time::now()");
        let found: Vec<(&str, usize)> = found.iter().map(|named| (named.path.as_str(), named.line)).collect();
        let expected = [
            ("std::fs", 1),
            ("std::net", 1),
            ("std::net::SocketAddr", 1),
            ("pub", 2),
            ("x::*", 2),
            ("std::time::now", 3),
        ];
        assert_eq!(found, expected);
    }
}
