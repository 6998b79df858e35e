//! The format of a log segment, and its recovery from damaged bytes.
//!
//! ```text
//! segment:  "SESSLOG" version 1 │ salt 16 │ check 8 │ frames
//! frame:    magic 4 │ length 4 │ key 16 │ check 8 │ a sealed record of that length, empty for a deletion
//! ```
//! The checks are salted with random bytes of this store, so that content that looks like a frame is never
//! mistaken for one when recovery searches the next frame inside a damaged one. The key is in the header and
//! in the record: damage at one place leaves one of them. A damaged header alone loses nothing.

use std::ops::Range;

use bytes::Bytes;

use crate::codec;
use crate::key::Key;
use crate::record::Record;

pub(super) const SEGMENT_HEADER: usize = 32;
pub(super) const FRAME_HEADER: usize = 32;
pub(super) const SALT: usize = 16;

const FORMAT: &[u8; 7] = b"SESSLOG";
const VERSION: u8 = 1;
const MAGIC: [u8; 4] = *b"\xf5SF\x01";
const LONGEST: usize = Record::CONTENT_LIMIT + codec::OVERHEAD;

/// Random bytes unique to one store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Salt(pub(super) [u8; SALT]);

/// The start of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SegmentStart {
    Salted(Salt),
    Damaged,
    Newer(u8),
}

pub(super) fn segment_header(salt: Salt) -> [u8; SEGMENT_HEADER] {
    let mut header = [0; SEGMENT_HEADER];
    header[..7].copy_from_slice(FORMAT);
    header[7] = VERSION;
    header[8..24].copy_from_slice(&salt.0);
    let check = codec::check(&[&header[..24]]);
    header[24..].copy_from_slice(&check);
    header
}

pub(super) fn beginning(bytes: &[u8]) -> SegmentStart {
    let Some(header) = bytes.first_chunk::<SEGMENT_HEADER>() else { return SegmentStart::Damaged };
    if header[..7] != *FORMAT || header[24..] != codec::check(&[&header[..24]]) {
        return SegmentStart::Damaged;
    }
    match header[7] {
        VERSION => {
            SegmentStart::Salted(Salt(*header[8..].first_chunk().expect("a header is longer than a salt")))
        }
        newer => SegmentStart::Newer(newer),
    }
}

/// Appends a frame with a record.
pub(super) fn keeping(salt: Salt, record: &Record, into: &mut Vec<u8>) {
    let sealed = codec::seal(record);
    let length = u32::try_from(sealed.len()).expect("content is bounded at 16 MiB");
    into.extend_from_slice(&header(salt, record.key, length));
    into.extend_from_slice(&sealed);
}

/// Appends a frame that deletes the key's earlier records.
pub(super) fn forgetting(salt: Salt, key: Key, into: &mut Vec<u8>) {
    into.extend_from_slice(&header(salt, key, 0));
}

fn header(salt: Salt, key: Key, length: u32) -> [u8; FRAME_HEADER] {
    let mut header = [0; FRAME_HEADER];
    header[..4].copy_from_slice(&MAGIC);
    header[4..8].copy_from_slice(&length.to_be_bytes());
    header[8..24].copy_from_slice(&key.0);
    let check = codec::check(&[&salt.0, &header[..24]]);
    header[24..].copy_from_slice(&check);
    header
}

fn read_header(salt: Salt, bytes: &[u8]) -> Option<(Key, usize)> {
    let header = bytes.first_chunk::<FRAME_HEADER>()?;
    if header[..4] != MAGIC || header[24..] != codec::check(&[&salt.0, &header[..24]]) {
        return None;
    }
    let length = usize::try_from(u32::from_be_bytes(*header[4..].first_chunk()?)).ok()?;
    (length <= LONGEST).then_some((Key(*header[8..].first_chunk()?), length))
}

/// One piece of a segment.
#[derive(Debug, PartialEq)]
pub(super) enum SegmentPiece {
    /// A complete frame with a record.
    Kept { at: Range<usize>, record: Record },
    /// A complete frame that deletes a key.
    Forgotten(Key),
    /// Bytes that are not a frame, and the keys that they may concern.
    Damaged { at: Range<usize>, keys: Vec<Key>, cause: &'static str },
    /// The last frame was not completely written.
    Torn { from: usize },
}

/// The pieces of a segment, in their order.
pub(super) struct SegmentPieces {
    bytes: Bytes,
    salt: Salt,
    next: usize,
}

impl SegmentPieces {
    /// The frames of a whole segment. The caller handles a damaged segment header.
    pub(super) fn of(bytes: Bytes, salt: Salt) -> Self {
        Self { bytes, salt, next: SEGMENT_HEADER }
    }

    /// The next whole frame from `from` on, or the end.
    fn frame_after(&self, from: usize) -> usize {
        let candidates = self.bytes[from..].windows(MAGIC.len()).enumerate();
        let mut starts = candidates.filter(|(_, window)| *window == MAGIC).map(|(at, _)| from + at);
        starts.find(|at| read_header(self.salt, &self.bytes[*at..]).is_some()).unwrap_or(self.bytes.len())
    }

    fn damaged(&mut self, end: usize, keys: Vec<Key>, cause: &'static str) -> SegmentPiece {
        let at = self.next..end;
        self.next = end;
        SegmentPiece::Damaged { at, keys, cause }
    }

    /// Reads the frame described by a valid header.
    fn kept(&mut self, key: Key, end: usize) -> SegmentPiece {
        match record_of(key, &self.bytes.slice(self.next + FRAME_HEADER..end)) {
            Ok(record) => {
                let at = self.next..end;
                self.next = end;
                SegmentPiece::Kept { at, record }
            }
            Err(cause) => self.damaged(end, vec![key], cause),
        }
    }

    /// Without a valid header there may still be a valid record before the next valid header.
    fn headless(&mut self) -> SegmentPiece {
        let at = self.next..self.frame_after(self.next + 1);
        let body = self.bytes.slice(at.start + FRAME_HEADER..at.end.max(at.start + FRAME_HEADER));
        if let Ok(record) = codec::open(&body) {
            self.next = at.end;
            return SegmentPiece::Kept { at, record };
        }
        let frame = &self.bytes[at.clone()];
        let places = [8, FRAME_HEADER + codec::KEY_AT];
        let found = places.iter().filter_map(|place| frame.get(*place..place + Key::BYTES));
        let keys = found.filter_map(|bytes| Key::try_from(bytes).ok()).collect();
        self.damaged(at.end, keys, "the header of its frame is unreadable")
    }
}

/// The record in a frame, without the frame's header.
pub(super) fn record_of(key: Key, sealed: &Bytes) -> Result<Record, &'static str> {
    match codec::open(sealed) {
        Ok(record) if record.key == key => Ok(record),
        Ok(_) => Err("it is stored under the key of another session"),
        Err(cause) => Err(cause),
    }
}

impl Iterator for SegmentPieces {
    type Item = SegmentPiece;

    fn next(&mut self) -> Option<SegmentPiece> {
        let from = self.next;
        let rest = self.bytes.get(from..).filter(|rest| !rest.is_empty())?;
        match read_header(self.salt, rest) {
            Some((key, 0)) => {
                self.next += FRAME_HEADER;
                Some(SegmentPiece::Forgotten(key))
            }
            Some((key, length)) if FRAME_HEADER + length <= rest.len() => {
                Some(self.kept(key, from + FRAME_HEADER + length))
            }
            None if rest.len() >= FRAME_HEADER && rest.iter().any(|byte| *byte != 0) => Some(self.headless()),
            _ => {
                self.next = self.bytes.len();
                Some(SegmentPiece::Torn { from })
            }
        }
    }
}
