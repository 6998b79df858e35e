//! The binary format of a record, for stores without columns.
//!
//! ```text
//! check 8 │ version 1 │ kind 1 │ key 16 │ saved at 8 │ idle left 8 │ keep 8 │ length 1, version │ length 1, app │ content
//! ```
//! The check is the beginning of a BLAKE3 hash of the bytes that follow it. Numbers are big endian.

use bytes::Bytes;

use crate::app::AppName;
use crate::key::Key;
use crate::lifetime::Lifetime;
use crate::record::{Record, RecordContent};
use crate::record_version::RecordVersion;

/// The length of a check.
pub(crate) const CHECK: usize = 8;
/// Most bytes of a record beside its content.
pub(crate) const OVERHEAD: usize =
    CHECK + 2 + Key::BYTES + 3 * 8 + 1 + RecordVersion::LIMIT + 1 + AppName::LIMIT;
/// Offset of the key.
pub(crate) const KEY_AT: usize = CHECK + 2;

const VERSION: u8 = 1;
const LIVE: u8 = 1;
const ENDED: u8 = 2;

/// The record and its check.
pub(crate) fn seal(record: &Record) -> Vec<u8> {
    let content = record.content().map_or(&[][..], |content| content);
    let mut bytes = Vec::with_capacity(OVERHEAD + content.len());
    bytes.extend_from_slice(&[0; CHECK]);
    bytes.extend_from_slice(&[VERSION, if record.is_ended() { ENDED } else { LIVE }]);
    bytes.extend_from_slice(&record.key.0);
    for millis in record.lifetime.to_millis() {
        bytes.extend_from_slice(&millis.to_be_bytes());
    }
    for text in [record.version.as_bytes(), record.app.as_str().as_bytes()] {
        bytes.push(u8::try_from(text.len()).expect("versions and names of apps are bounded below 256 bytes"));
        bytes.extend_from_slice(text);
    }
    bytes.extend_from_slice(content);
    let check = check(&[&bytes[CHECK..]]);
    bytes[..CHECK].copy_from_slice(&check);
    bytes
}

/// Reads what [`seal`] made. The content shares the memory of `sealed`.
///
/// # Errors
/// The problem, as text.
pub(crate) fn open(sealed: &Bytes) -> Result<Record, &'static str> {
    let (found, body) = sealed.split_first_chunk::<CHECK>().ok_or("it is truncated")?;
    if *found != check(&[body]) {
        return Err("its checksum does not match");
    }
    read(sealed)
}

fn read(sealed: &Bytes) -> Result<Record, &'static str> {
    let mut rest = &sealed[CHECK..];
    let [version, kind] = take(&mut rest)?;
    if version != VERSION {
        return Err("it was written by a newer version of sessile");
    }
    let key = Key(take(&mut rest)?);
    let [saved_at, idle_left, keep] = [take(&mut rest)?, take(&mut rest)?, take(&mut rest)?];
    let lifetime = Lifetime::from_millis(
        u64::from_be_bytes(saved_at),
        u64::from_be_bytes(idle_left),
        u64::from_be_bytes(keep),
    );
    let version =
        RecordVersion::new(sealed.slice_ref(counted(&mut rest)?)).map_err(|_| "its version is too long")?;
    let app = std::str::from_utf8(counted(&mut rest)?).map_err(|_| "its application name is unreadable")?;
    let app = AppName::new(app).map_err(|_| "its application name is unreadable")?;
    let content = match kind {
        LIVE => RecordContent::Live(sealed.slice_ref(rest)),
        ENDED => RecordContent::Ended,
        _ => return Err("its kind is unknown"),
    };
    Ok(Record { key, version, app, lifetime, content })
}

/// The beginning of a hash over the parts, one after the other.
pub(crate) fn check(parts: &[&[u8]]) -> [u8; CHECK] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
    }
    *hasher.finalize().as_bytes().first_chunk().expect("a hash is longer than a check")
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], &'static str> {
    let (taken, left) = rest.split_first_chunk::<N>().ok_or("it is truncated")?;
    *rest = left;
    Ok(*taken)
}

fn counted<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], &'static str> {
    let [length] = take(rest)?;
    let (taken, left) = rest.split_at_checked(length.into()).ok_or("it is truncated")?;
    *rest = left;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use proptest::prelude::*;

    use super::*;

    fn records() -> impl Strategy<Value = Record> {
        let parts = (any::<u128>(), prop::collection::vec(any::<u8>(), 0..=64), "[a-z/é]{0,20}");
        let times = (any::<u32>(), any::<u32>());
        (parts, times, prop::option::of(prop::collection::vec(any::<u8>(), 0..200))).prop_map(
            |((key, version, app), (left, keep), content)| Record {
                key: key.into(),
                version: RecordVersion::new(version).unwrap(),
                app: AppName::new(&app).unwrap(),
                lifetime: Lifetime::new(
                    SystemTime::now(),
                    Duration::from_millis(left.into()),
                    Duration::from_secs(keep.into()),
                ),
                content: content.map_or(RecordContent::Ended, |content| RecordContent::Live(content.into())),
            },
        )
    }

    proptest! {
        #[test]
        fn a_sealed_record_is_read_back(record in records()) {
            prop_assert_eq!(open(&seal(&record).into()), Ok(record));
        }

        #[test]
        fn a_flipped_bit_or_truncation_is_detected(record in records(), place in any::<prop::sample::Index>(), bit in 0..8) {
            let sealed = seal(&record);
            let mut flipped = sealed.clone();
            flipped[place.index(sealed.len())] ^= 1u8 << bit;
            prop_assert!(open(&flipped.into()).is_err());
            prop_assert!(open(&Bytes::copy_from_slice(&sealed[..place.index(sealed.len())])).is_err());
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut sealed = check(&[&bytes]).to_vec();
            sealed.extend_from_slice(&bytes);
            let _ = open(&sealed.into());
        }
    }
}
