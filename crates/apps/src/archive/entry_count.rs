//! How many entries a zip declares, read from its end: before the directory of entries is parsed, which takes
//! memory for each of them.

use std::io::{self, Read, Seek, SeekFrom};

/// Begins the record at the end of a zip.
const END: &[u8; 4] = b"PK\x05\x06";
/// The record without its comment.
const END_BYTES: usize = 22;
/// Begins the record that leads to the large numbers of ZIP64.
const LOCATOR: &[u8; 4] = b"PK\x06\x07";
const LOCATOR_BYTES: usize = 20;
/// The longest comment of an archive.
const MAX_COMMENT: usize = u16::MAX as usize;

/// What the end of a zip declares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Declared {
    /// The most entries of any record that a reader could take for the last one.
    pub(super) entries: usize,
    /// Numbers that do not fit are in another record: more than 65,534 entries, or more than 4 GiB.
    pub(super) is_zip64: bool,
}

/// Reads the end of `zip`. Whichever record a reader takes, it has no more entries than are returned.
pub(super) fn declared(zip: &mut (impl Read + Seek)) -> io::Result<Declared> {
    let bytes = zip.seek(SeekFrom::End(0))?;
    let tail = bytes.min((LOCATOR_BYTES + END_BYTES + MAX_COMMENT) as u64);
    zip.seek(SeekFrom::Start(bytes - tail))?;
    let mut end = Vec::new();
    zip.take(tail).read_to_end(&mut end)?;
    let mut declared = Declared::default();
    for (at, record) in end.windows(END_BYTES).enumerate().filter(|(_, record)| record.starts_with(END)) {
        let number = |from: usize| usize::from(record[from]) | usize::from(record[from + 1]) << 8;
        declared.entries = declared.entries.max(number(8)).max(number(10));
        let locator = at.checked_sub(LOCATOR_BYTES).map(|from| &end[from..at]);
        declared.is_zip64 |= locator.is_some_and(|locator| locator.starts_with(LOCATOR));
    }
    Ok(declared)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn end(entries: u16, comment: &[u8]) -> Vec<u8> {
        let [low, high] = entries.to_le_bytes();
        let mut record = [&END[..], &[0; 4], &[low, high, low, high], &[0; 8]].concat();
        record.extend(u16::try_from(comment.len()).unwrap().to_le_bytes());
        [record, comment.to_vec()].concat()
    }

    fn of(zip: Vec<u8>) -> Declared {
        declared(&mut Cursor::new(zip)).unwrap()
    }

    #[test]
    fn the_largest_record_counts() {
        assert_eq!(of(Vec::new()), Declared::default());
        assert_eq!(of(b"PK\x05\x06".to_vec()), Declared::default());
        assert_eq!(of([vec![1; 100_000], end(7, b"")].concat()).entries, 7);
        assert_eq!(of([end(60_000, b""), end(1, b"words")].concat()).entries, 60_000, "a reader may take it");
        assert_eq!(of(end(3, &end(40_000, b""))).entries, 40_000, "also within the comment");
        let zip64 = [&LOCATOR[..], &[0; 16], &end(1, b"")].concat();
        assert!(of(zip64).is_zip64 && !of(end(1, b"")).is_zip64);
    }
}
