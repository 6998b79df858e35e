//! Reads a zip. Every name is checked first, and every byte is counted while it is inflated; sizes in headers
//! are not trusted.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use tempfile::TempDir;
use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

use super::entry;
use super::entry_count;
use super::error::ArchiveError;
use super::manifest::{MANIFEST, Manifest};
use super::name::ArchiveName;
use super::{Archive, ArchiveLimits, component};

/// The largest manifest.
const MANIFEST_BYTES: u64 = 256 << 10;
/// Size of one read.
const CHUNK_BYTES: usize = 64 << 10;

type Zip = ZipArchive<io::BufReader<File>>;

/// The unused part of the bounds.
struct Budget {
    left: u64,
    limit: u64,
}

/// Opens the archive; its static files go into a new directory in `temp`.
pub(super) fn open(
    file: File,
    name: &ArchiveName,
    temp: &Path,
    bounds: ArchiveLimits,
) -> Result<Archive, ArchiveError> {
    let mut reader = io::BufReader::new(file);
    check_count(&mut reader, bounds)?;
    let mut zip = ZipArchive::new(reader).map_err(damaged)?;
    let entries = checked(&mut zip, bounds)?;
    let mut budget = Budget { left: bounds.unpacked_bytes, limit: bounds.unpacked_bytes };
    let manifest = manifest(&mut zip, name, &mut budget)?;
    let component = match manifest.component_in(|entry| zip.index_for_name(entry).is_some()) {
        Some(entry) => Some(component(entry, budget.read(&mut zip, entry)?)?),
        None => None,
    };
    let within = format!("{}/", manifest.files.dir);
    let served: Vec<&String> = entries.iter().filter(|entry| entry.starts_with(&within)).collect();
    let files = if served.is_empty() { None } else { Some(budget.unpack(&mut zip, &served, temp)?) };
    if component.is_none() && files.is_none() {
        return Err(ArchiveError::Empty);
    }
    Ok(Archive { manifest, component, files })
}

/// Refuses too many entries before their directory is parsed.
fn check_count(zip: &mut io::BufReader<File>, bounds: ArchiveLimits) -> Result<(), ArchiveError> {
    let declared = entry_count::declared(zip).map_err(|error| ArchiveError::Zip(error.to_string()))?;
    if declared.is_zip64 {
        let problem = "it is a ZIP64 archive, for more than 65,534 files or 4 GiB; write a plain zip";
        return Err(ArchiveError::Zip(problem.to_owned()));
    }
    if declared.entries > bounds.files {
        return Err(ArchiveError::TooManyFiles { files: declared.entries, limit: bounds.files });
    }
    Ok(())
}

/// The names of all entries, checked.
fn checked(zip: &mut Zip, bounds: ArchiveLimits) -> Result<Vec<String>, ArchiveError> {
    if zip.len() > bounds.files {
        return Err(ArchiveError::TooManyFiles { files: zip.len(), limit: bounds.files });
    }
    let names = (0..zip.len()).map(|index| {
        let file = zip.by_index_raw(index).map_err(damaged)?;
        let name = entry::name(file.name_raw())?;
        if file.is_symlink() {
            return Err(ArchiveError::entry(name, "is a link; only regular files are accepted"));
        }
        if file.encrypted() {
            return Err(ArchiveError::entry(name, "is encrypted"));
        }
        Ok(name.to_owned())
    });
    let names = names.collect::<Result<Vec<_>, _>>()?;
    // Duplicate names, overlapping files and contradicting headers: programs would read them differently.
    zip.validate_header_consistency().map_err(damaged)?;
    Ok(names)
}

fn manifest(zip: &mut Zip, name: &ArchiveName, budget: &mut Budget) -> Result<Manifest, ArchiveError> {
    if zip.index_for_name(MANIFEST).is_none() {
        return match zip.index_for_name(Manifest::COMPONENT) {
            Some(_) => Ok(Manifest::default()),
            None => Err(ArchiveError::Empty),
        };
    }
    let mut own = Budget { left: MANIFEST_BYTES.min(budget.left), limit: MANIFEST_BYTES };
    let bytes = own.read(zip, MANIFEST)?;
    budget.left -= bytes.len() as u64;
    let text = String::from_utf8(bytes).map_err(|_| ArchiveError::entry(MANIFEST, "is not UTF-8"))?;
    Ok(Manifest::parse(&format!("{name}/{MANIFEST}"), text)?)
}

impl Budget {
    fn read(&mut self, zip: &mut Zip, entry: &str) -> Result<Vec<u8>, ArchiveError> {
        let mut bytes = Vec::new();
        self.inflate(zip.by_name(entry).map_err(damaged)?, entry, |chunk| {
            bytes.extend_from_slice(chunk);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// Writes these entries below a new directory, which is removed if one of them fails.
    fn unpack(&mut self, zip: &mut Zip, entries: &[&String], temp: &Path) -> Result<TempDir, ArchiveError> {
        let place = tempfile::Builder::new().prefix("files-").tempdir_in(temp);
        let place = place.map_err(|source| ArchiveError::file(temp, source))?;
        for entry in entries {
            let path = place.path().join(entry);
            let written = |source| ArchiveError::file(&path, source);
            if entry.ends_with('/') {
                fs::create_dir_all(&path).map_err(written)?;
                continue;
            }
            path.parent().map_or(Ok(()), fs::create_dir_all).map_err(written)?;
            let mut file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(written)?;
            self.inflate(zip.by_name(entry).map_err(damaged)?, entry, |chunk| file.write_all(chunk))?;
        }
        Ok(place)
    }

    /// Passes the content of a file to `take`, and stops when the limit is exceeded.
    fn inflate(
        &mut self,
        mut file: ZipFile<'_, impl Read>,
        entry: &str,
        mut take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<(), ArchiveError> {
        let wrong = |source: io::Error| ArchiveError::entry(entry, format!("cannot be unpacked: {source}"));
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let read = file.read(&mut chunk).map_err(wrong)?;
            if read == 0 {
                return Ok(());
            }
            let Some(left) = self.left.checked_sub(read as u64) else {
                return Err(ArchiveError::TooLarge { entry: entry.to_owned(), limit: self.limit });
            };
            self.left = left;
            take(&chunk[..read]).map_err(wrong)?;
        }
    }
}

fn damaged(error: ZipError) -> ArchiveError {
    ArchiveError::Zip(error.to_string())
}
