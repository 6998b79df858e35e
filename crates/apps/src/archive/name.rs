//! Maps the name of an archive to the context path of its application.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::{ArchiveError, shown};

/// The longest name of an archive, in bytes.
const MAX_NAME: usize = 200;
/// The name for the path `/`.
const ROOT: &str = "ROOT";
/// Between the parts of a path.
const LEVEL: char = '#';
/// Between the path and the version.
const VERSION: &str = "##";

/// The parsed name of an archive: `shop.zip` is at `/shop`, `ROOT.zip` at `/`, `a#b.wasm` at `/a/b`, and
/// `shop##002.zip` is version 002 of `/shop`, as Tomcat names them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArchiveName {
    /// The context path.
    pub path: String,
    /// Empty without a version.
    pub version: String,
    /// Kind of the archive.
    pub kind: Kind,
    text: String,
}

/// A kind of archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A bare component: `.wasm`.
    Component,
    /// A zip: `.zip` or `.wapp`.
    Zip,
}

impl FromStr for ArchiveName {
    type Err = ArchiveError;

    fn from_str(name: &str) -> Result<Self, ArchiveError> {
        let wrong = |problem: &str| ArchiveError::Name { name: shown(name), problem: problem.to_owned() };
        let (stem, kind) = stem(name).map_err(wrong)?;
        let (place, version) = stem.split_once(VERSION).unwrap_or((stem, ""));
        let is_plain =
            |part: &str| !part.is_empty() && !part.starts_with('.') && part.chars().all(is_allowed);
        let is_good = place.split(LEVEL).all(is_plain) && version.chars().all(is_allowed);
        if name.len() > MAX_NAME || !is_good {
            return Err(wrong(
                "use letters, digits, `-`, `_` and `.`; `#` stands for `/`, `##` begins a version",
            ));
        }
        let path = if place == ROOT { String::new() } else { place.replace(LEVEL, "/") };
        Ok(Self { path: format!("/{path}"), version: version.to_owned(), kind, text: name.to_owned() })
    }
}

impl TryFrom<String> for ArchiveName {
    type Error = ArchiveError;

    fn try_from(name: String) -> Result<Self, ArchiveError> {
        name.parse()
    }
}

impl From<ArchiveName> for String {
    fn from(name: ArchiveName) -> Self {
        name.text
    }
}

/// The name without its ending, and the kind that the ending gives.
fn stem(name: &str) -> Result<(&str, Kind), &'static str> {
    match name.rsplit_once('.') {
        Some((stem, "wasm")) => Ok((stem, Kind::Component)),
        Some((stem, "zip" | "wapp")) => Ok((stem, Kind::Zip)),
        Some((_, "cwasm")) => Err("compiled code is never accepted; deploy the .wasm file"),
        _ => Err("the name must end in .wasm, .zip or .wapp"),
    }
}

fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-_.".contains(c)
}

impl ArchiveName {
    /// The same archive for another context path; `path` begins with a slash.
    ///
    /// # Errors
    /// The path has no valid archive name.
    pub fn at(&self, path: &str) -> Result<Self, ArchiveError> {
        let place = match path.trim_matches('/') {
            "" => ROOT.to_owned(),
            place => place.replace('/', &LEVEL.to_string()),
        };
        let version =
            if self.version.is_empty() { String::new() } else { format!("{VERSION}{}", self.version) };
        let ending = self.text.rsplit_once('.').map_or("", |(_, ending)| ending);
        format!("{place}{version}.{ending}").parse()
    }
}

impl fmt::Display for ArchiveName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str) -> (String, String) {
        let name: ArchiveName = name.parse().unwrap();
        (name.path, name.version)
    }

    #[test]
    fn names_give_path_and_version() {
        let pair = |path: &str, version: &str| (path.to_owned(), version.to_owned());
        assert_eq!(read("shop.wasm"), pair("/shop", ""));
        assert_eq!(read("ROOT.zip"), pair("/", ""));
        assert_eq!(read("a#b.wapp"), pair("/a/b", ""));
        assert_eq!(read("shop##002.wasm"), pair("/shop", "002"));
        assert_eq!(read("shop-1.2.zip"), pair("/shop-1.2", ""));
        let moved = "shop##2.zip".parse::<ArchiveName>().unwrap().at("/old/shop").unwrap();
        assert_eq!(moved.to_string(), "old#shop##2.zip");
        assert_eq!(moved.at("/").unwrap().path, "/");
    }

    #[test]
    fn other_names_are_refused() {
        for name in [
            "shop",
            "shop.cwasm",
            ".zip",
            "..zip",
            "a##.b#.zip",
            "a#.zip",
            "#a.zip",
            "a/b.zip",
            "a b.zip",
            "é.zip",
        ] {
            assert!(name.parse::<ArchiveName>().is_err(), "{name}");
        }
    }
}
