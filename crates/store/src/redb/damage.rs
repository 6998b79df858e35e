//! A damaged redb file: what counts as damage, where the file goes, and what can still be read from it.
//!
//! The library reports some damage as an error and panics at other; both end here, and neither ends a call of
//! another session or the process. A damaged file is kept beside the new one, for inspection.

use std::ffi::OsString;
use std::io;
use std::ops::Bound::{Excluded, Unbounded};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use redb::{Database, ReadableDatabase};

use super::{RECORDS, count, read};
use crate::key::Key;

/// Most damaged files that are kept beside a store. With more of them something damages every new file, and
/// the store waits for a person.
const MAX_ASIDE: u32 = 3;
/// Rows that are read at once while a damaged file is rescued.
const ROWS: usize = 256;

/// Why a call of redb failed.
pub(super) enum Failed {
    /// The file is intact as far as this call shows.
    Redb(redb::Error),
    /// The file is damaged.
    Damaged(String),
}

/// Runs calls of redb. After a panic the database that they used must not be used any more.
pub(super) fn attempt<T>(calls: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, Failed> {
    match catch_unwind(AssertUnwindSafe(calls)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) if is_damage(&error) => Err(Failed::Damaged(error.to_string())),
        Ok(Err(error)) => Err(Failed::Redb(error)),
        Err(panic) => {
            let words = panic.downcast_ref::<String>().map(String::as_str);
            let words = words.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words");
            Err(Failed::Damaged(format!("redb panicked: {words}")))
        }
    }
}

fn is_damage(error: &redb::Error) -> bool {
    use redb::Error as Redb;
    match error {
        Redb::Io(cause) => matches!(cause.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData),
        Redb::Corrupted(_)
        | Redb::UnorderedKey
        // A call before this one panicked.
        | Redb::LockPoisoned(_)
        | Redb::TransactionPoisoned
        | Redb::TableTypeMismatch { .. }
        | Redb::TableIsMultimap(_)
        | Redb::TableIsNotMultimap(_)
        | Redb::TypeDefinitionChanged { .. }
        | Redb::TableDoesNotExist(_) => true,
        _ => false,
    }
}

/// Renames the file; returns its new place.
pub(super) fn put_aside(path: &Path) -> io::Result<PathBuf> {
    let free = (1..=MAX_ASIDE).map(|number| aside(path, number)).find(|place| !place.exists());
    let place = free.ok_or_else(|| {
        io::Error::other(format!(
            "{MAX_ASIDE} damaged files are beside {} already; move `{}` and the others away, and look for what damages them",
            path.display(),
            aside(path, 1).display()
        ))
    })?;
    std::fs::rename(path, &place)?;
    Ok(place)
}

/// How many damaged files are beside the store.
pub(super) fn files_aside(path: &Path) -> u64 {
    (1..=MAX_ASIDE).filter(|number| aside(path, *number).exists()).count() as u64
}

fn aside(path: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".damaged-{number}"));
    name.into()
}

/// Copies the records that can be read, from both ends up to the damage; returns their number.
pub(super) fn rescue(old: &Database, new: &Database) -> u64 {
    let (mut rescued, mut first, mut last) = (0, None, None);
    while let Some((rows, is_whole)) = rows(old, first, None, false) {
        first = rows.last().map(|(key, _)| *key);
        rescued += write(new, &rows);
        if !is_whole {
            break;
        }
    }
    while let Some((rows, is_whole)) = rows(old, first, last, true) {
        last = rows.last().map(|(key, _)| *key);
        rescued += write(new, &rows);
        if !is_whole {
            break;
        }
    }
    rescued
}

type Rows = Vec<(Key, Bytes)>;

/// The next rows between two keys, and whether they were all read; `None` without any.
fn rows(old: &Database, after: Option<Key>, before: Option<Key>, from_the_end: bool) -> Option<(Rows, bool)> {
    let bound = |key: Option<Key>| key.map_or(Unbounded, |key| Excluded(u128::from(key)));
    let mut found = Vec::new();
    let read = attempt(|| {
        let table = old.begin_read()?.open_table(RECORDS)?;
        let mut range = table.range::<u128>((bound(after), bound(before)))?;
        while found.len() < ROWS
            && let Some(row) = if from_the_end { range.next_back() } else { range.next() }
        {
            let (key, sealed) = row?;
            found.push((Key::from(key.value()), Bytes::copy_from_slice(sealed.value())));
        }
        Ok(())
    });
    (!found.is_empty()).then_some((found, read.is_ok()))
}

fn write(new: &Database, rows: &Rows) -> u64 {
    let written = attempt(|| {
        let writing = new.begin_write()?;
        let (mut bytes, mut saved) = (0, 0);
        {
            let mut table = writing.open_table(RECORDS)?;
            for (key, sealed) in rows.iter().filter(|(key, sealed)| read(*key, sealed).is_ok()) {
                table.insert(u128::from(*key), &sealed[..])?;
                (bytes, saved) = (bytes + sealed.len(), saved + 1);
            }
        }
        count(&writing, bytes, 0)?;
        writing.commit()?;
        Ok(saved)
    });
    written.unwrap_or(0)
}
