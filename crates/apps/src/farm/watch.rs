//! Scans the watched directory for archives that are completely written.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::SystemTime;
use std::{fs, io};

use crate::archive::ArchiveName;

/// A file counts as removed after this many scans without it: a replacement may remove it first.
const MISSES: u32 = 2;

/// Changes when a file is written or replaced. It only says that a file must be read again: the digest of the
/// content decides whether it is another archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    size: u64,
    modified: Option<SystemTime>,
    /// Inode and time of the last change of status, which no program can set.
    #[cfg(unix)]
    status: (u64, i64, i64),
}

impl Fingerprint {
    fn of(found: &fs::Metadata) -> Self {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt as _;

        Self {
            size: found.len(),
            modified: found.modified().ok(),
            #[cfg(unix)]
            status: (found.ino(), found.ctime(), found.ctime_nsec()),
        }
    }
}

/// State of the watched directory between scans.
#[derive(Debug)]
pub(crate) struct Watcher {
    directory: PathBuf,
    seen: BTreeMap<String, Fingerprint>,
    missed: BTreeMap<String, u32>,
    /// Invalid names that were logged.
    odd: BTreeSet<String>,
}

/// An archive that did not change between two scans.
#[derive(Debug)]
pub(crate) struct FoundArchive {
    pub(crate) name: ArchiveName,
    pub(crate) file: PathBuf,
    pub(crate) fingerprint: Fingerprint,
}

/// The result of one scan.
#[derive(Debug, Default)]
pub(crate) struct DirectoryScan {
    /// By context path; of several versions the highest.
    pub(crate) found: BTreeMap<String, FoundArchive>,
    /// Requested paths without an archive.
    pub(crate) gone: Vec<String>,
}

impl Watcher {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory, seen: BTreeMap::new(), missed: BTreeMap::new(), odd: BTreeSet::new() }
    }

    /// Scans; `known` are the paths whose archives came from this directory.
    pub(crate) fn look(&mut self, known: &[String]) -> io::Result<DirectoryScan> {
        let (files, mut look) = (self.files()?, DirectoryScan::default());
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
                let found =
                    FoundArchive { name: name.clone(), file: file.clone(), fingerprint: fingerprint.clone() };
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

    /// Adds the directory and the remedy to an error.
    fn unreadable(&self, cause: &io::Error) -> io::Error {
        let directory = self.directory.display();
        io::Error::new(cause.kind(), format!("{directory}: {cause}; make it, or leave `watch_dir` out"))
    }

    /// The files with valid archive names.
    fn files(&mut self) -> io::Result<Vec<(ArchiveName, PathBuf, Fingerprint)>> {
        let (mut files, mut odd) = (Vec::new(), BTreeSet::new());
        for entry in fs::read_dir(&self.directory).map_err(|cause| self.unreadable(&cause))? {
            let entry = entry?;
            let text = entry.file_name().to_string_lossy().into_owned();
            // Skip a file that was removed meanwhile.
            let Ok(metadata) = fs::metadata(entry.path()) else { continue };
            if !metadata.is_file() || text.starts_with('.') {
                continue;
            }
            match text.parse::<ArchiveName>() {
                Ok(name) => files.push((name, entry.path(), Fingerprint::of(&metadata))),
                Err(error) => {
                    if !self.odd.contains(&text) {
                        tracing::warn!(directory = %self.directory.display(), "not deployed: {error}");
                    }
                    odd.insert(text);
                }
            }
        }
        // Forget names of removed files.
        self.odd = odd;
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(look: &DirectoryScan) -> Vec<(&str, &str)> {
        look.found.iter().map(|(path, found)| (path.as_str(), found.name.version.as_str())).collect()
    }

    #[test]
    fn a_file_counts_when_unchanged_and_is_removed_after_missed_scans() {
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

    #[cfg(unix)]
    #[test]
    fn a_file_of_the_same_size_and_time_is_seen() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("shop.zip");
        fs::write(&file, "first").unwrap();
        let time = fs::metadata(&file).unwrap().modified().unwrap();
        let mut watcher = Watcher::new(place.path().to_owned());
        let mut settled = || {
            while !watcher.look(&[]).unwrap().found.contains_key("/shop") {}
            watcher.look(&[]).unwrap().found.remove("/shop").unwrap().fingerprint
        };
        let first = settled();
        let draft = place.path().join(".draft");
        fs::write(&draft, "other").unwrap();
        fs::File::options().write(true).open(&draft).unwrap().set_modified(time).unwrap();
        fs::rename(&draft, &file).unwrap();
        assert_ne!(settled(), first);
    }

    #[test]
    fn a_missing_directory_is_an_error_and_removes_nothing() {
        let mut watcher = Watcher::new("/nowhere/webapps".into());
        let error = watcher.look(&["/shop".to_owned()]).unwrap_err().to_string();
        assert!(error.starts_with("/nowhere/webapps: ") && error.contains("make it"), "{error}");
    }
}
