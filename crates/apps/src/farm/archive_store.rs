//! The files of the farm: complete archives by digest, pieces of arriving archives, and the catalog.
//!
//! A file gets its final name when it is complete and synced. Every call blocks on the disk.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tempfile::NamedTempFile;

use super::archive_ref::Digest;
use super::catalog::Catalog;
use crate::directories::DRAFT;

/// The catalog.
const CATALOG: &str = "catalog.json";
/// File name extension of archives; the stem is the digest.
const ENDING: &str = ".archive";
/// Size of one read.
const CHUNK_BYTES: usize = 64 << 10;

/// The archive store of one node.
#[derive(Debug)]
pub(crate) struct ArchiveStore {
    deploy: PathBuf,
    temp: PathBuf,
}

impl ArchiveStore {
    pub(crate) fn new(deploy: PathBuf, temp: PathBuf) -> Self {
        Self { deploy, temp }
    }

    /// Loads the catalog and lists the archives.
    pub(crate) fn load(&self) -> io::Result<(Catalog, BTreeSet<Digest>)> {
        let catalog = match fs::read(self.deploy.join(CATALOG)) {
            Ok(text) => serde_json::from_slice(&text)?,
            Err(none) if none.kind() == io::ErrorKind::NotFound => Catalog::default(),
            Err(error) => return Err(error),
        };
        Ok((catalog, self.archives()?.into_iter().map(|(digest, _)| digest).collect()))
    }

    /// Saves the catalog durably.
    pub(crate) fn save(&self, catalog: &Catalog) -> io::Result<()> {
        let mut draft = draft_in(&self.deploy)?;
        draft.write_all(&serde_json::to_vec_pretty(catalog)?)?;
        draft.as_file().sync_all()?;
        draft.persist(self.deploy.join(CATALOG))?;
        sync_names(&self.deploy)
    }

    /// The path of an archive.
    pub(crate) fn path(&self, digest: Digest) -> PathBuf {
        self.deploy.join(format!("{digest}{ENDING}"))
    }

    /// A temporary file for an upload.
    pub(crate) fn draft(&self) -> io::Result<NamedTempFile> {
        draft_in(&self.temp)
    }

    /// Puts a complete archive into the store.
    pub(crate) fn put(&self, draft: NamedTempFile, digest: Digest) -> io::Result<()> {
        draft.as_file().sync_all()?;
        match draft.persist(self.path(digest)) {
            Ok(_) => sync_names(&self.deploy),
            // The temporary directory may be on another file system.
            Err(error) if error.error.kind() == io::ErrorKind::CrossesDevices => {
                self.copy(error.file.path(), digest)
            }
            Err(error) => Err(error.error),
        }
    }

    /// Copies a foreign file, which may change meanwhile; returns digest and size of the copy.
    pub(crate) fn take_in(&self, file: &Path, limit: u64) -> io::Result<(Digest, u64)> {
        let mut draft = self.draft()?;
        let mut source = File::open(file)?.take(limit + 1);
        let bytes = io::copy(&mut source, draft.as_file_mut())?;
        if bytes > limit || bytes == 0 {
            let words = format!("it is not between 1 and the {limit} bytes of [farm] max_archive_bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, words));
        }
        let digest = digest_of(draft.path())?;
        self.put(draft, digest)?;
        Ok((digest, bytes))
    }

    /// Reads a part of an archive; shorter than `bytes` at its end.
    pub(crate) fn read(&self, digest: Digest, from: u64, bytes: u32) -> io::Result<Bytes> {
        let mut file = File::open(self.path(digest))?;
        file.seek(SeekFrom::Start(from))?;
        let mut part = Vec::new();
        file.take(u64::from(bytes)).read_to_end(&mut part)?;
        Ok(part.into())
    }

    /// Writes a part of an arriving archive.
    pub(crate) fn write(&self, digest: Digest, from: u64, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(self.part(digest))?;
        file.seek(SeekFrom::Start(from))?;
        file.write_all(bytes)
    }

    /// Puts an arrived archive into the store if its digest matches.
    pub(crate) fn finish(&self, digest: Digest) -> io::Result<()> {
        let part = self.part(digest);
        if digest_of(&part)? != digest {
            self.forget(digest)?;
            return Err(io::Error::other("what arrived is not what was sent"));
        }
        File::open(&part)?.sync_all()?;
        match fs::rename(&part, self.path(digest)) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                self.copy(&part, digest)?;
                self.forget(digest)
            }
            renamed => renamed.and_then(|()| sync_names(&self.deploy)),
        }
    }

    /// Removes the pieces of an archive, if there are any.
    pub(crate) fn forget(&self, digest: Digest) -> io::Result<()> {
        match fs::remove_file(self.part(digest)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes all other archives.
    pub(crate) fn keep(&self, needed: &BTreeSet<Digest>) -> io::Result<()> {
        let archives = self.archives()?.into_iter();
        let mut others = archives.filter(|(digest, _)| !needed.contains(digest));
        others.try_for_each(|(_, path)| fs::remove_file(path))
    }

    fn copy(&self, file: &Path, digest: Digest) -> io::Result<()> {
        let mut draft = draft_in(&self.deploy)?;
        io::copy(&mut File::open(file)?, draft.as_file_mut())?;
        draft.as_file().sync_all()?;
        draft.persist(self.path(digest))?;
        sync_names(&self.deploy)
    }

    fn part(&self, digest: Digest) -> PathBuf {
        self.temp.join(format!("{digest}.part"))
    }

    fn archives(&self) -> io::Result<Vec<(Digest, PathBuf)>> {
        let entries = fs::read_dir(&self.deploy)?.collect::<Result<Vec<_>, _>>()?;
        let archive = |entry: fs::DirEntry| {
            let digest = entry.file_name().to_str()?.strip_suffix(ENDING)?.to_owned();
            Some((Digest::try_from(digest).ok()?, entry.path()))
        };
        Ok(entries.into_iter().filter_map(archive).collect())
    }
}

/// A temporary file.
fn draft_in(directory: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(DRAFT).tempfile_in(directory)
}

fn digest_of(path: &Path) -> io::Result<Digest> {
    let (mut file, mut hasher, mut chunk) = (File::open(path)?, blake3::Hasher::new(), vec![0; CHUNK_BYTES]);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(Digest::from(*hasher.finalize().as_bytes())),
            read => hasher.update(&chunk[..read]),
        };
    }
}

/// Syncs a directory, on systems that support it.
fn sync_names(directory: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_in_any_order_form_a_complete_archive() {
        let place = tempfile::tempdir().unwrap();
        let store = ArchiveStore::new(place.path().to_owned(), place.path().to_owned());
        let digest = Digest::of(b"hello world");
        store.write(digest, 6, b"world").unwrap();
        store.write(digest, 0, b"hello_").unwrap();
        assert!(store.finish(digest).unwrap_err().to_string().contains("not what was sent"));
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "nothing is left");
        store.write(digest, 6, b"world").unwrap();
        store.write(digest, 0, b"hello ").unwrap();
        store.finish(digest).unwrap();
        assert_eq!(store.read(digest, 6, 100).unwrap(), &b"world"[..]);
        let (catalog, there) = store.load().unwrap();
        assert_eq!((catalog, there), (Catalog::default(), BTreeSet::from([digest])));
        store.keep(&BTreeSet::new()).unwrap();
        assert!(store.load().unwrap().1.is_empty());
    }

    #[test]
    fn a_file_over_the_limit_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let store = ArchiveStore::new(place.path().to_owned(), place.path().to_owned());
        let file = place.path().join("shop.zip");
        fs::write(&file, b"hello").unwrap();
        assert_eq!(store.take_in(&file, 5).unwrap(), (Digest::of(b"hello"), 5));
        assert!(store.take_in(&file, 4).is_err());
    }
}
