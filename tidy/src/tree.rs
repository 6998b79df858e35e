//! The files of the repository, read once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::rust::{Masked, NamedPath, mask, paths, without_tests};

/// Folders that hold what the project did not write: builds, tools, what other programs keep.
const SKIPPED: [&str; 3] = ["target", "node_modules", "artifacts"];

/// The folder that begins with a dot and is read nevertheless.
const OWN_HIDDEN: &str = ".ci";

/// A folder whose thousand files nobody reads.
const NOT_READ: &str = "fuzz/corpus";

/// Extensions of the files that are read.
const TEXTS: [&str; 12] = ["rs", "md", "toml", "txt", "css", "wit", "lua", "py", "js", "mjs", "c", "h"];

/// One text file of the repository.
#[derive(Debug)]
pub struct SourceFile {
    /// Its path, relative to the root, with `/`.
    pub path: String,
    /// What is in it.
    pub text: String,
    /// Worked out once, for all checks.
    masked: OnceLock<Masked>,
    paths: OnceLock<Vec<NamedPath>>,
}

impl SourceFile {
    fn new(path: String, text: String) -> Self {
        Self { path, text, masked: OnceLock::new(), paths: OnceLock::new() }
    }

    /// The code of a Rust file, and its comments.
    pub(crate) fn masked(&self) -> &Masked {
        self.masked.get_or_init(|| mask(&self.text))
    }

    /// The paths that a Rust file names outside its tests.
    pub(crate) fn named_paths(&self) -> &[NamedPath] {
        self.paths.get_or_init(|| paths(&without_tests(&self.masked().code)))
    }
}

/// The text files of the repository, by path.
#[derive(Debug, Default)]
pub struct Tree {
    files: Vec<SourceFile>,
    /// Every file there is, also those that are no text.
    paths: Vec<String>,
}

impl Tree {
    /// The tree of the workspace that this crate is in.
    ///
    /// # Errors
    /// A file or folder that cannot be read.
    pub fn of_workspace() -> io::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut tree = Self::default();
        tree.read(&root, &root)?;
        tree.files.sort_by(|one, other| one.path.cmp(&other.path));
        tree.paths.sort();
        Ok(tree)
    }

    /// A tree of these paths and texts, for tests of checks.
    #[must_use]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let files: Vec<SourceFile> = files
            .iter()
            .map(|(path, text)| SourceFile::new((*path).to_owned(), (*text).to_owned()))
            .collect();
        let paths = files.iter().map(|file| file.path.clone()).collect();
        Self { files, paths }
    }

    fn read(&mut self, root: &Path, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let relative = relative(root, &path);
            if path.is_dir() {
                if relative == NOT_READ {
                    self.paths.push(relative);
                } else if !SKIPPED.contains(&name) && (!name.starts_with('.') || name == OWN_HIDDEN) {
                    self.read(root, &path)?;
                }
                continue;
            }
            self.paths.push(relative.clone());
            let is_text = path.extension().and_then(|extension| extension.to_str());
            if is_text.is_some_and(|extension| TEXTS.contains(&extension)) || relative.starts_with(".ci/") {
                self.files.push(SourceFile::new(relative, fs::read_to_string(&path)?));
            }
        }
        Ok(())
    }

    /// All text files.
    #[must_use]
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// The Rust files below one of these folders, or the file of that path.
    pub fn rust<'a>(&'a self, under: &[&str]) -> impl Iterator<Item = &'a SourceFile> {
        self.with("rs").filter(move |file| under.iter().any(|folder| is_under(&file.path, folder)))
    }

    /// The files with this extension.
    pub fn with<'a>(&'a self, extension: &'a str) -> impl Iterator<Item = &'a SourceFile> {
        let has_it = move |file: &&SourceFile| {
            file.path.rsplit_once('.').is_some_and(|(_, extension_of_it)| extension_of_it == extension)
        };
        self.files.iter().filter(has_it)
    }

    /// The file at this path.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&SourceFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Whether there is a file or folder at this path, seen from the root.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        path.is_empty() || self.paths.iter().any(|known| known == path || is_in(known, path))
    }

    /// Whether some file's or folder's path ends with these components.
    #[must_use]
    pub fn has_ending(&self, ending: &str) -> bool {
        let ending = ending.trim_end_matches('/');
        self.paths.iter().any(|known| {
            let mut whole = format!("/{known}");
            whole.push('/');
            whole.contains(&format!("/{ending}/"))
        })
    }
}

/// Whether `path` is this file, or below the folder of that name, or in the module of that name.
pub(crate) fn is_under(path: &str, folder: &str) -> bool {
    path == folder || is_in(path, folder)
}

fn is_in(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

fn relative(root: &Path, path: &Path) -> String {
    let relative: PathBuf = path.strip_prefix(root).unwrap_or(path).to_owned();
    relative.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_whole_and_by_their_end() {
        let tree = Tree::of(&[("crates/core/src/shard/ask.rs", ""), ("crates/core/src/shard.rs", "")]);
        assert!(tree.has("crates/core") && tree.has("crates/core/src/shard.rs") && !tree.has("crates/cor"));
        assert!(
            tree.has_ending("shard/ask.rs") && tree.has_ending("shard/") && !tree.has_ending("hard/ask.rs")
        );
        assert_eq!(tree.rust(&["crates/core/src/shard"]).count(), 1);
    }
}
