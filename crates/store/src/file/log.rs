//! The log: appends frames, maintains the index, and compacts segments. One thread calls it.
//!
//! The oldest segment is always compacted first: its live records are appended again, then the file is
//! deleted. So an older version of a session is never on disk longer than the version that replaced it, and
//! replaying the log from the beginning is correct at every moment.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;

use super::FileOptions;
use super::frame::{self, FRAME_HEADER, SEGMENT_HEADER, SegmentPiece, SegmentPieces, SegmentStart};
use super::index::{FrameLocation, Index};
use super::position::{read_exact_at, write_all_at};
use super::quarantine::Quarantine;
use super::segments::{FolderLock, Segment, Segments, own};
use crate::error::DamagedRecord;
use crate::key::Key;
use crate::record::Record;
use crate::store::StoreSize;

/// State shared by readers and the log.
#[derive(Debug)]
pub(super) struct LogContents {
    pub(super) index: Index,
    pub(super) segments: Segments,
    pub(super) quarantine: Quarantine,
}

#[derive(Debug)]
pub(super) struct Log {
    contents: Arc<RwLock<LogContents>>,
    options: FileOptions,
    /// A failed write left the end of the last segment in an unknown state: continue in a new one.
    doubtful: bool,
    _lock: FolderLock,
}

/// Why an append failed.
#[derive(Debug)]
pub(super) enum AppendError {
    Io(io::Error),
    Full { max_bytes: u64 },
}

/// Frames to be appended together, with their relative locations.
#[derive(Debug, Default)]
pub(super) struct StagedFrames {
    bytes: Vec<u8>,
    spots: BTreeMap<Key, Option<FrameLocation>>,
}

impl Log {
    /// Replays all segments; quarantines damaged bytes.
    pub(super) fn open(folder: &Path, options: FileOptions) -> io::Result<(Self, Vec<DamagedRecord>)> {
        let (lock, salt) = own(folder)?;
        let segments = Segments::open(folder, salt)?;
        let quarantine = Quarantine::open(folder.join("quarantine"))?;
        let mut contents = LogContents { index: Index::default(), segments, quarantine };
        let mut damaged = Vec::new();
        for number in contents.segments.numbers() {
            damaged.append(&mut contents.replay(number)?);
        }
        let contents = Arc::new(RwLock::new(contents));
        Ok((Self { contents, options, doubtful: false, _lock: lock }, damaged))
    }

    pub(super) fn contents(&self) -> Arc<RwLock<LogContents>> {
        Arc::clone(&self.contents)
    }

    /// Stages the record unless a newer version exists; returns whether it was staged.
    pub(super) fn stage(&self, record: &Record, staged: &mut StagedFrames) -> bool {
        let contents = self.contents.read();
        let there = match staged.spots.get(&record.key) {
            Some(spot) => spot.as_ref(),
            None => contents.index.get(record.key),
        };
        if there.is_some_and(|spot| !spot.yields_to(record)) {
            return false;
        }
        let from = staged.bytes.len();
        frame::keeping(contents.segments.salt, record, &mut staged.bytes);
        staged.spots.insert(record.key, Some(FrameLocation::of(record, 0, from..staged.bytes.len())));
        true
    }

    /// Stages the deletion of a key.
    fn stage_forgetting(&self, key: Key, staged: &mut StagedFrames) {
        frame::forgetting(self.contents.read().segments.salt, key, &mut staged.bytes);
        staged.spots.insert(key, None);
    }

    /// Makes all staged frames durable and visible, or none.
    pub(super) fn append(&mut self, staged: StagedFrames) -> Result<(), AppendError> {
        if staged.bytes.is_empty() {
            return Ok(());
        }
        self.make_room(staged.bytes.len() as u64)?;
        self.write(staged).map_err(AppendError::Io)
    }

    /// Removes records that are garbage at that time; returns their number.
    pub(super) fn purge(&mut self, now_millis: u64) -> Result<u64, AppendError> {
        let mut staged = StagedFrames::default();
        let garbage: Vec<Key> = {
            let contents = self.contents.read();
            let all = contents.index.after(None);
            all.filter(|(_, spot)| spot.garbage_after < now_millis).map(|(key, _)| *key).collect()
        };
        for key in &garbage {
            self.stage_forgetting(*key, &mut staged);
        }
        self.append(staged)?;
        Ok(garbage.len() as u64)
    }

    /// Quarantines a frame that a reader found damaged, unless it was replaced meanwhile.
    pub(super) fn put_aside(
        &mut self,
        key: Key,
        spot: &FrameLocation,
        frame: &[u8],
        cause: &str,
    ) -> DamagedRecord {
        let mut contents = self.contents.write();
        if contents.index.get(key).is_some_and(|now| now.is_at(spot.segment, spot.offset)) {
            contents.index.remove(key);
        }
        let place = contents.quarantine.put(spot.segment, spot.offset, frame);
        DamagedRecord { key: Some(key), place, cause: cause.into() }
    }

    /// Compacts the oldest segment if more than half is dead. Returns whether it did, so that the caller can
    /// run urgent jobs in between.
    pub(super) fn tidy(&mut self) -> io::Result<bool> {
        let (total, live) = self.total_and_live();
        let wasteful = total > 2 * live + 2 * self.options.segment_bytes;
        if wasteful { self.clean_oldest() } else { Ok(false) }
    }

    fn total_and_live(&self) -> (u64, u64) {
        let contents = self.contents.read();
        (contents.segments.total_bytes(), contents.index.live_bytes())
    }

    /// Makes room for this many further bytes.
    fn make_room(&mut self, bytes: u64) -> Result<(), AppendError> {
        let max_bytes = self.options.max_bytes;
        let attempts = self.contents.read().segments.numbers().len();
        for _ in 0..=attempts {
            let (total, live) = self.total_and_live();
            if total + bytes <= max_bytes {
                return Ok(());
            }
            // Compaction gets more expensive as the log fills: a quarter is reserved for dead records.
            if live + bytes > max_bytes / 4 * 3 || !self.clean_oldest().map_err(AppendError::Io)? {
                break;
            }
        }
        Err(AppendError::Full { max_bytes })
    }

    /// Compacts and deletes the oldest segment; false if that would free nothing.
    fn clean_oldest(&mut self) -> io::Result<bool> {
        let (oldest, bytes, salt) = {
            let contents = self.contents.read();
            let Some(oldest) = contents.segments.oldest() else { return Ok(false) };
            (oldest, contents.segments.read(oldest)?, contents.segments.salt)
        };
        if bytes.len() <= SEGMENT_HEADER {
            return Ok(false);
        }
        let mut staged = StagedFrames::default();
        for piece in SegmentPieces::of(bytes.clone(), salt) {
            match piece {
                SegmentPiece::Kept { at, record } => self.restage(oldest, &at, &record, &mut staged),
                SegmentPiece::Damaged { at, .. } => {
                    let mut contents = self.contents.write();
                    contents.quarantine.put(oldest, at.start as u64, &bytes[at]);
                }
                SegmentPiece::Forgotten(_) | SegmentPiece::Torn { .. } => {}
            }
        }
        let only = self.contents.read().segments.last().is_some_and(|(last, _)| last == oldest);
        if only {
            self.contents.write().segments.begin()?;
            self.doubtful = false;
        }
        if !staged.bytes.is_empty() {
            self.write(staged)?;
        }
        self.contents.write().segments.delete(oldest)?;
        Ok(true)
    }

    fn restage(&self, segment: u64, at: &std::ops::Range<usize>, record: &Record, staged: &mut StagedFrames) {
        let contents = self.contents.read();
        let wanted = contents.index.get(record.key).is_some_and(|spot| spot.is_at(segment, at.start as u64));
        if wanted {
            let from = staged.bytes.len();
            frame::keeping(contents.segments.salt, record, &mut staged.bytes);
            staged.spots.insert(record.key, Some(FrameLocation::of(record, 0, from..staged.bytes.len())));
        }
    }

    fn write(&mut self, staged: StagedFrames) -> io::Result<()> {
        let (number, segment) = self.growing(staged.bytes.len() as u64)?;
        let begin = segment.bytes;
        if let Err(error) = write_all_at(&segment.file, &staged.bytes, begin) {
            self.doubtful = segment.file.set_len(begin).is_err();
            return Err(error);
        }
        if let Err(error) = segment.file.sync_data() {
            // The system may have dropped the dirty pages and reports the error only once.
            let _ = segment.file.set_len(begin);
            self.doubtful = true;
            return Err(error);
        }
        let mut contents = self.contents.write();
        contents.segments.grown(begin + staged.bytes.len() as u64);
        for (key, spot) in staged.spots {
            match spot {
                Some(spot) => contents.index.insert(key, spot.at(number, begin)),
                None => contents.index.remove(key),
            }
        }
        Ok(())
    }

    /// The segment for the next append.
    fn growing(&mut self, bytes: u64) -> io::Result<(u64, Segment)> {
        let mut contents = self.contents.write();
        let limit = self.options.segment_bytes;
        let fits =
            |segment: &Segment| segment.bytes == SEGMENT_HEADER as u64 || segment.bytes + bytes <= limit;
        let usable = contents.segments.last().is_some_and(|(_, segment)| fits(segment));
        if self.doubtful || !usable {
            contents.segments.begin()?;
            self.doubtful = false;
        }
        let (number, segment) = contents.segments.last().expect("one was begun if there was none");
        Ok((number, segment.clone()))
    }
}

impl StagedFrames {
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

impl LogContents {
    pub(super) fn size(&self) -> StoreSize {
        StoreSize {
            records: self.index.len() as u64,
            bytes: self.segments.total_bytes(),
            damaged: self.quarantine.files(),
        }
    }

    /// The raw frame at a location, including its header; empty if the file ends before it.
    pub(super) fn read(segment: &Segment, spot: &FrameLocation) -> io::Result<Bytes> {
        let mut frame = vec![0; spot.length];
        match read_exact_at(&segment.file, &mut frame, spot.offset) {
            Ok(()) => Ok(frame.into()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Bytes::new()),
            Err(error) => Err(error),
        }
    }

    fn replay(&mut self, number: u64) -> io::Result<Vec<DamagedRecord>> {
        let bytes = self.segments.read(number)?;
        let last = self.segments.last().is_some_and(|(last, _)| last == number);
        if last && bytes.len() < SEGMENT_HEADER {
            // The process was killed right after it created this segment.
            self.segments.delete(number)?;
            return Ok(Vec::new());
        }
        let mut damaged = self.check_beginning(number, &bytes)?;
        for piece in SegmentPieces::of(bytes.clone(), self.segments.salt) {
            match piece {
                SegmentPiece::Kept { at, record } => {
                    if self.index.get(record.key).is_none_or(|there| there.yields_to(&record)) {
                        self.index.insert(record.key, FrameLocation::of(&record, number, at));
                    }
                }
                SegmentPiece::Forgotten(key) => self.index.remove(key),
                SegmentPiece::Damaged { at, keys, cause } => {
                    let place = self.quarantine.put(number, at.start as u64, &bytes[at]);
                    damaged.push(self.forget(&keys, place, cause));
                }
                SegmentPiece::Torn { from } => self.cut(number, from)?,
            }
        }
        Ok(damaged)
    }

    /// An older version must not replace a damaged newest version.
    fn forget(&mut self, keys: &[Key], place: String, cause: &str) -> DamagedRecord {
        let known = keys.iter().find(|key| self.index.get(**key).is_some());
        let agreed = keys.first().filter(|first| keys.iter().all(|key| key == *first));
        let key = known.or(agreed).copied();
        keys.iter().for_each(|key| self.index.remove(*key));
        DamagedRecord { key, place, cause: cause.into() }
    }

    /// A killed process left an incomplete frame that it never acknowledged.
    fn cut(&mut self, number: u64, from: usize) -> io::Result<()> {
        match self.segments.last() {
            Some((last, segment)) if last == number => {
                segment.file.set_len(from as u64)?;
                self.segments.grown(from as u64);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn check_beginning(&mut self, number: u64, bytes: &Bytes) -> io::Result<Vec<DamagedRecord>> {
        match frame::beginning(bytes) {
            SegmentStart::Salted(salt) if salt == self.segments.salt => Ok(Vec::new()),
            SegmentStart::Newer(version) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!(
                    "segment {number:016x} has format {version}, this program reads format 1; use the newer program"
                ),
            )),
            SegmentStart::Salted(_) | SegmentStart::Damaged => {
                let head = &bytes[..bytes.len().min(SEGMENT_HEADER)];
                let place = self.quarantine.put(number, 0, head);
                let cause = "the header of its segment is unreadable".into();
                Ok(vec![DamagedRecord { key: None, place, cause }])
            }
        }
    }
}

const _: () = assert!(FRAME_HEADER == 32, "frames are laid out for headers of 32 bytes");
