//! Looking at the watched directory: which archives are in it, and which of them nobody is writing any more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::SystemTime;
use std::{fs, io};

use crate::archive::ArchiveName;

/// So many looks in a row must miss a file before it counts as removed: who replaces one may remove it first.
const MISSES: u32 = 2;

/// When a file was last changed, as far as its directory tells.
pub(crate) type Fingerprint = (u64, Option<SystemTime>);

/// The watched directory, from look to look.
#[derive(Debug)]
pub(crate) struct Watcher {
    directory: PathBuf,
    seen: BTreeMap<String, Fingerprint>,
    missed: BTreeMap<String, u32>,
    /// Names that were complained about.
    odd: BTreeSet<String>,
}

/// An archive that did not change between two looks.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) name: ArchiveName,
    pub(crate) file: PathBuf,
    pub(crate) fingerprint: Fingerprint,
}

/// What one look found.
#[derive(Debug, Default)]
pub(crate) struct Look {
    /// By context path; of several versions the highest.
    pub(crate) found: BTreeMap<String, Found>,
    /// Of the paths that were asked for, those that have no archive any more.
    pub(crate) gone: Vec<String>,
}

impl Watcher {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory, seen: BTreeMap::new(), missed: BTreeMap::new(), odd: BTreeSet::new() }
    }

    /// Looks; `known` are the paths whose archives were taken from here before.
    pub(crate) fn look(&mut self, known: &[String]) -> io::Result<Look> {
        let (files, mut look) = (self.files()?, Look::default());
        let mut highest: BTreeMap<&str, usize> = BTreeMap::new();
        for (index, (name, ..)) in files.iter().enumerate() {
            let newest = highest.entry(&name.path).or_insert(index);
            if files[*newest].0.version < name.version {
                *newest = index;
            }
        }
        let there: BTreeSet<String> = highest.keys().map(|path| (*path).to_owned()).collect();
        for (name, file, fingerprint) in highest.into_values().map(|index| &files[index]) {
            if self.seen.get(&name.to_string()) == Some(fingerprint) {
                let found = Found { name: name.clone(), file: file.clone(), fingerprint: *fingerprint };
                look.found.insert(name.path.clone(), found);
            }
        }
        self.seen = files.into_iter().map(|(name, _, fingerprint)| (name.to_string(), fingerprint)).collect();
        self.missed.retain(|path, _| known.contains(path) && !there.contains(path));
        for path in known.iter().filter(|path| !there.contains(*path)) {
            let missed = self.missed.entry(path.clone()).or_default();
            *missed += 1;
            if *missed >= MISSES {
                look.gone.push(path.clone());
            }
        }
        Ok(look)
    }

    /// The same with the directory and the remedy.
    fn unreadable(&self, cause: &io::Error) -> io::Error {
        let directory = self.directory.display();
        io::Error::new(cause.kind(), format!("{directory}: {cause}; make it, or leave `watch_dir` out"))
    }

    /// The files whose names are those of archives.
    fn files(&mut self) -> io::Result<Vec<(ArchiveName, PathBuf, Fingerprint)>> {
        let (mut files, mut odd) = (Vec::new(), BTreeSet::new());
        for entry in fs::read_dir(&self.directory).map_err(|cause| self.unreadable(&cause))? {
            let entry = entry?;
            let text = entry.file_name().to_string_lossy().into_owned();
            // One that is removed meanwhile is not there.
            let Ok(metadata) = fs::metadata(entry.path()) else { continue };
            if !metadata.is_file() || text.starts_with('.') {
                continue;
            }
            match text.parse::<ArchiveName>() {
                Ok(name) => files.push((name, entry.path(), (metadata.len(), metadata.modified().ok()))),
                Err(error) => {
                    if !self.odd.contains(&text) {
                        tracing::warn!(directory = %self.directory.display(), "not deployed: {error}");
                    }
                    odd.insert(text);
                }
            }
        }
        // Names that are gone are forgotten.
        self.odd = odd;
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(look: &Look) -> Vec<(&str, &str)> {
        look.found.iter().map(|(path, found)| (path.as_str(), found.name.version.as_str())).collect()
    }

    #[test]
    fn a_file_counts_when_it_has_stopped_changing_and_is_gone_when_it_stays_away() {
        let place = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(place.path().join(name), text).unwrap();
        let mut watcher = Watcher::new(place.path().to_owned());
        let known = ["/shop".to_owned()];
        write("shop.zip", "1");
        write("notes.txt", "no archive");
        assert!(watcher.look(&known).unwrap().found.is_empty(), "it may still grow");
        assert_eq!(paths(&watcher.look(&known).unwrap()), [("/shop", "")]);
        write("shop.zip", "longer");
        assert!(watcher.look(&known).unwrap().found.is_empty());
        write("shop##002.zip", "2");
        write("shop##001.zip", "1");
        let look = watcher.look(&known).unwrap();
        assert!(look.gone.is_empty() && look.found.is_empty(), "the highest may still grow");
        assert_eq!(paths(&watcher.look(&known).unwrap()), [("/shop", "002")]);
        for name in ["shop.zip", "shop##001.zip", "shop##002.zip"] {
            fs::remove_file(place.path().join(name)).unwrap();
        }
        assert!(watcher.look(&known).unwrap().gone.is_empty(), "it may be replaced just now");
        assert_eq!(watcher.look(&known).unwrap().gone, known);
        assert_eq!(watcher.odd.len(), 1);
        fs::remove_file(place.path().join("notes.txt")).unwrap();
        watcher.look(&known).unwrap();
        assert!(watcher.odd.is_empty(), "what is gone is forgotten");
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error_and_removes_nothing() {
        let mut watcher = Watcher::new("/nowhere/webapps".into());
        let error = watcher.look(&["/shop".to_owned()]).unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/webapps: ") && error.contains("make it"), "{error}");
    }
}
