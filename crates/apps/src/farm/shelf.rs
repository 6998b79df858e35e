//! The files of the farm: whole archives by their digest, parts of those that arrive, and the catalog.
//!
//! A file gets its name when it is whole and on disk. Every call takes as long as the disk does.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tempfile::NamedTempFile;

use super::archived::Digest;
use super::catalog::Catalog;
use crate::directories::DRAFT;

/// The catalog.
const CATALOG: &str = "catalog.json";
/// The end of the name of an archive; its beginning is the digest.
const ENDING: &str = ".archive";
/// What is read at once.
const CHUNK_BYTES: usize = 64 << 10;

/// Where the archives of one node are.
#[derive(Debug)]
pub(crate) struct Shelf {
    deploy: PathBuf,
    temp: PathBuf,
}

impl Shelf {
    pub(crate) fn new(deploy: PathBuf, temp: PathBuf) -> Self {
        Self { deploy, temp }
    }

    /// The catalog that was kept, and the archives that are there.
    pub(crate) fn load(&self) -> io::Result<(Catalog, BTreeSet<Digest>)> {
        let catalog = match fs::read(self.deploy.join(CATALOG)) {
            Ok(text) => serde_json::from_slice(&text)?,
            Err(none) if none.kind() == io::ErrorKind::NotFound => Catalog::default(),
            Err(error) => return Err(error),
        };
        Ok((catalog, self.archives()?.into_iter().map(|(digest, _)| digest).collect()))
    }

    /// Keeps the catalog: when this returns, a crash does not lose it.
    pub(crate) fn save(&self, catalog: &Catalog) -> io::Result<()> {
        let mut draft = draft_in(&self.deploy)?;
        draft.write_all(&serde_json::to_vec_pretty(catalog)?)?;
        draft.as_file().sync_all()?;
        draft.persist(self.deploy.join(CATALOG))?;
        sync_names(&self.deploy)
    }

    /// Where an archive is.
    pub(crate) fn path(&self, digest: Digest) -> PathBuf {
        self.deploy.join(format!("{digest}{ENDING}"))
    }

    /// A file for what is uploaded, gone when it is dropped.
    pub(crate) fn draft(&self) -> io::Result<NamedTempFile> {
        draft_in(&self.temp)
    }

    /// Puts a whole archive on the shelf.
    pub(crate) fn put(&self, draft: NamedTempFile, digest: Digest) -> io::Result<()> {
        draft.as_file().sync_all()?;
        match draft.persist(self.path(digest)) {
            Ok(_) => sync_names(&self.deploy),
            // Another file system: the temporary directory is the operator's choice.
            Err(error) if error.error.kind() == io::ErrorKind::CrossesDevices => {
                self.copy(error.file.path(), digest)
            }
            Err(error) => Err(error.error),
        }
    }

    /// Copies a file of somebody else's, which may change meanwhile, and says what was copied.
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

    /// A part of an archive; less than `bytes` at its end.
    pub(crate) fn read(&self, digest: Digest, from: u64, bytes: u32) -> io::Result<Bytes> {
        let mut file = File::open(self.path(digest))?;
        file.seek(SeekFrom::Start(from))?;
        let mut part = Vec::new();
        file.take(u64::from(bytes)).read_to_end(&mut part)?;
        Ok(part.into())
    }

    /// Writes a part of an archive that arrives.
    pub(crate) fn write(&self, digest: Digest, from: u64, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(self.part(digest))?;
        file.seek(SeekFrom::Start(from))?;
        file.write_all(bytes)
    }

    /// Puts what arrived on the shelf, when it is what its digest says.
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

    /// Removes what arrived of an archive; it may never have begun to arrive.
    pub(crate) fn forget(&self, digest: Digest) -> io::Result<()> {
        match fs::remove_file(self.part(digest)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes all archives but these.
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

/// A file that is gone when it is dropped.
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

/// Makes sure that the names of files are on disk, where a system can.
fn sync_names(directory: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_arrives_in_any_order_is_whole_or_not_there() {
        let place = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(place.path().to_owned(), place.path().to_owned());
        let digest = Digest::of(b"hello world");
        shelf.write(digest, 6, b"world").unwrap();
        shelf.write(digest, 0, b"hello_").unwrap();
        assert!(shelf.finish(digest).unwrap_err().to_string().contains("not what was sent"));
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "nothing is left");
        shelf.write(digest, 6, b"world").unwrap();
        shelf.write(digest, 0, b"hello ").unwrap();
        shelf.finish(digest).unwrap();
        assert_eq!(shelf.read(digest, 6, 100).unwrap(), &b"world"[..]);
        let (catalog, there) = shelf.load().unwrap();
        assert_eq!((catalog, there), (Catalog::default(), BTreeSet::from([digest])));
        shelf.keep(&BTreeSet::new()).unwrap();
        assert!(shelf.load().unwrap().1.is_empty());
    }

    #[test]
    fn what_is_too_large_is_not_taken_in() {
        let place = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(place.path().to_owned(), place.path().to_owned());
        let file = place.path().join("shop.zip");
        fs::write(&file, b"hello").unwrap();
        assert_eq!(shelf.take_in(&file, 5).unwrap(), (Digest::of(b"hello"), 5));
        assert!(shelf.take_in(&file, 4).is_err());
    }
}
