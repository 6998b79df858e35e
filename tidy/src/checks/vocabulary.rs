//! What no file says: paths of a machine, hosts that are not meant, words that are no part of the project.

use crate::{Problem, SourceFile, Tree};

/// Folders at the root of somebody's machine.
const MACHINE_FOLDERS: [&str; 4] = ["work", "home", "root", "Users"];

/// Hosts that documents and sources may link to, with everything below them.
const HOSTS: [&str; 21] = [
    "github.com",
    "docs.rs",
    "localhost",
    "example",
    "example.com",
    "example.org",
    "invalid",
    "test",
    "www.w3.org",
    "www.rfc-editor.org",
    "datatracker.ietf.org",
    "json-schema.org",
    "www.apache.org",
    "tomcat.apache.org",
    "www.haproxy.org",
    "www.iana.org",
    "semver.org",
    "en.wikipedia.org",
    "learn.microsoft.com",
    "pubs.opengroup.org",
    "man7.org",
];

/// Hosts of texts that others wrote and that are kept as they are.
const FOREIGN_TEXTS: [&str; 1] = ["crates/apps/wit/deps/"];

/// Words that are no part of the project, as hashes: the list itself must not bring them into the tree.
const FOREIGN_WORDS: [u64; 10] = [
    0xa7c7_b542_b1ac_cb08,
    0xc524_7b53_e89d_c201,
    0x04dc_2554_6038_2976,
    0x7a3c_735f_7f6d_b37f,
    0x2391_9480_3edf_98f7,
    0x2524_b426_1996_11b3,
    0x8a1b_8f4a_0a91_3503,
    0x7f7a_7547_86a6_64b8,
    0xa113_d274_5d70_6ce3,
    0x125b_6919_1db9_4ab8,
];

/// Finds them in every text.
#[must_use]
pub fn vocabulary(tree: &Tree) -> Vec<Problem> {
    let written =
        tree.files().iter().filter(|file| !FOREIGN_TEXTS.iter().any(|of| file.path.starts_with(of)));
    written
        .flat_map(|file| file.text.lines().enumerate().filter_map(|(at, line)| judge(file, at + 1, line)))
        .collect()
}

fn judge(file: &SourceFile, number: usize, line: &str) -> Option<Problem> {
    let problem = |what: String, remedy: &str| Some(Problem::new(&file.path, number, what, remedy));
    if let Some(folder) = MACHINE_FOLDERS.iter().find(|folder| names_machine(line, folder)) {
        return problem(
            format!("a path below /{folder} is one of somebody's machine"),
            "name it from the root of the repository",
        );
    }
    if let Some(host) = hosts(line).find(|host| !is_known(host)) {
        return problem(
            format!("the host {host} is not among those that may be named"),
            "take it out, or add the host to the list",
        );
    }
    let word = line.split(|c: char| !c.is_alphanumeric()).find(|word| FOREIGN_WORDS.contains(&hash(word)))?;
    problem(
        format!("{word:?} is no word of this project"),
        "say what is meant for somebody who runs or changes Sessile",
    )
}

fn names_machine(line: &str, folder: &str) -> bool {
    let path = format!("/{folder}/");
    line.match_indices(&path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}'))
    })
}

/// The hosts of the addresses in a line.
fn hosts(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("://").filter_map(|(at, _)| {
        let scheme = line[..at].rsplit(|c: char| !c.is_ascii_alphabetic()).next()?;
        let rest = &line[at + 3..];
        let end =
            rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))).unwrap_or(rest.len());
        (matches!(scheme, "http" | "https") && end > 0).then(|| &rest[..end])
    })
}

/// A listed host, a part of one, a name without a dot, or an address.
fn is_known(host: &str) -> bool {
    let is_below =
        |known: &str| host == known || host.strip_suffix(known).is_some_and(|rest| rest.ends_with('.'));
    !host.contains('.')
        || host.chars().all(|c| c.is_ascii_digit() || c == '.')
        || HOSTS.iter().any(|known| is_below(known))
}

/// FNV-1a of the word in lower case.
fn hash(word: &str) -> u64 {
    let step =
        |hash: u64, byte: u8| (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3);
    word.bytes().fold(0xcbf2_9ce4_8422_2325, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> usize {
        vocabulary(&Tree::of(&[("a.md", text)])).len()
    }

    #[test]
    fn paths_of_a_machine_are_found_and_routes_are_not() {
        assert_eq!(found(&format!("see /{}/me/x", "home")), 1);
        assert_eq!(found(&format!("GET shop/{}/x and http://localhost/x", "work")), 0);
    }

    #[test]
    fn hosts_are_those_that_are_listed() {
        assert_eq!(found("https://docs.rs/x http://a.shop.example/ http://127.0.0.1:1/ http://tc01/"), 0);
        assert_eq!(found(&format!("see https://{}.net/simple", "mirror")), 1);
    }
}
