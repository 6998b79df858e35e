//! A file store of several segments of which any file may be cut, overwritten or removed: it opens, no
//! session has another content than one that was saved, and it saves and loads.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sessile_store::{FileOptions, FileStore, Key, Scan, Store, StoreError};

use crate::harness::live;

const SESSIONS: u128 = 30;
const VERSIONS: u64 = 4;
/// How long damage is tried; at least [`CASES`] cases.
const TIME: Duration = Duration::from_secs(3);
const CASES: u32 = 40;

fn options(folder: &Path) -> FileOptions {
    FileOptions { segment_bytes: 4096, ..FileOptions::new(folder) }
}

/// All files of the store, with their content.
async fn filled(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let store = FileStore::open(options(folder)).await.unwrap();
    for version in 1..=VERSIONS {
        store.save((0..SESSIONS).map(|key| live(key, version)).collect()).await.unwrap();
    }
    store.close().await.unwrap();
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.is_file());
    files.map(|path| (path.file_name().unwrap().into(), fs::read(path).unwrap())).collect()
}

/// Damages one of the files; returns what was done.
fn damage(folder: &Path, whole: &[(PathBuf, Vec<u8>)], mut below: impl FnMut(usize) -> usize) -> String {
    let (name, bytes) = &whole[below(whole.len())];
    let (mut bytes, path) = (bytes.clone(), folder.join(name));
    let (kind, at) = (below(5), below(bytes.len().max(1)));
    match kind {
        0 => bytes.truncate(at),
        1 => bytes[at] ^= 1 << below(8),
        2 => {
            let (end, byte) = ((at + below(600)).min(bytes.len()), below(256));
            bytes[at..end].fill(u8::try_from(byte).unwrap());
        }
        3 => bytes.extend_from_within(..at),
        _ => {
            fs::remove_file(&path).unwrap();
            return format!("{} is removed", name.display());
        }
    }
    fs::write(&path, bytes).unwrap();
    format!("{} has damage {kind} at {at}", name.display())
}

async fn judge(store: &FileStore, case: &str) {
    for key in 0..SESSIONS {
        match store.load(Key::from(key)).await {
            Ok(None) | Err(StoreError::Damaged(_)) => {}
            Ok(Some(found)) => {
                assert!((1..=VERSIONS).any(|version| found == live(key, version)), "{case}: {found:?}");
            }
            Err(error) => panic!("{case}: {error}"),
        }
    }
    store.scan(Scan::pages_of(1000)).await.unwrap();
    let again = live(7, 9);
    assert!(store.save(vec![again.clone()]).await.unwrap()[0].is_saved(), "{case}");
    assert_eq!(store.load(Key::from(7)).await.unwrap(), Some(again), "{case}: the store works");
}

#[tokio::test]
async fn no_byte_of_any_file_stops_the_store() {
    let place = tempfile::tempdir().unwrap();
    let whole = filled(&place.path().join("whole")).await;
    assert!(whole.len() > 3, "several segments and the lock");
    let mut dice = 1_u64;
    let mut below = |limit: usize| {
        dice = dice.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (dice >> 33) as usize % limit
    };
    let (began, mut number) = (Instant::now(), 0);
    while number < CASES || began.elapsed() < TIME {
        number += 1;
        let folder = place.path().join(number.to_string());
        fs::create_dir(&folder).unwrap();
        for (name, bytes) in &whole {
            fs::write(folder.join(name), bytes).unwrap();
        }
        let cases: Vec<String> = (0..=below(3)).map(|_| damage_kept(&folder, &whole, &mut below)).collect();
        let case = cases.join(", ");
        let store = FileStore::open(options(&folder)).await.unwrap_or_else(|error| panic!("{case}: {error}"));
        judge(&store, &case).await;
        store.close().await.unwrap();
        fs::remove_dir_all(folder).unwrap();
    }
}

/// Damage to a file that may be gone already.
fn damage_kept(
    folder: &Path,
    whole: &[(PathBuf, Vec<u8>)],
    below: &mut impl FnMut(usize) -> usize,
) -> String {
    let kept: Vec<_> = whole.iter().filter(|(name, _)| folder.join(name).exists()).cloned().collect();
    damage(folder, &kept, below)
}
