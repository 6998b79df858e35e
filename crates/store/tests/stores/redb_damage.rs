//! A redb file of which any part may be cut or overwritten: no panic reaches the caller, no session has
//! another content than one that was saved, and the store works.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use sessile_store::{Key, Record, RedbOptions, RedbStore, Scan, Store, StoreError};

use crate::harness::live;

/// Sessions in the file, each saved in four versions.
const SESSIONS: u128 = 150;
/// How long damage is tried; at least [`CASES`] cases.
const TIME: Duration = Duration::from_secs(4);
const CASES: u32 = 24;

fn options(path: &Path) -> RedbOptions {
    RedbOptions { cache_bytes: 1 << 20, ..RedbOptions::new(path) }
}

async fn filled(path: &Path) -> Vec<u8> {
    let store = RedbStore::open(options(path)).await.unwrap();
    for version in 1..=4 {
        store.save((0..SESSIONS).map(|key| live(key, version)).collect()).await.unwrap();
    }
    store.close().await.unwrap();
    drop(store);
    fs::read(path).unwrap()
}

/// Every load until the store has looked at its damage: a found session is one that was saved.
async fn judge(store: &RedbStore, case: &str) {
    for key in 0..SESSIONS {
        match store.load(Key::from(key)).await {
            Ok(None) | Err(StoreError::Damaged(_) | StoreError::Unavailable { .. }) => {}
            Ok(Some(found)) => {
                assert!((1..=4).any(|version| found == live(key, version)), "{case}: {found:?}")
            }
            Err(error) => panic!("{case}: {error}"),
        }
    }
    // Each call may be the one that meets damage that no call before it touched: it says so, and the next one
    // works.
    let again = live(7, 9);
    for attempt in 0.. {
        match works(store, &again).await {
            Ok(()) => break,
            Err(error) => assert!(attempt < 3 && error.is_transient(), "{case}: {error}"),
        }
    }
}

async fn works(store: &RedbStore, again: &Record) -> Result<(), StoreError> {
    // After a damage that a later call met, the file is new and the record has to be saved once more.
    if store.load(Key::from(7)).await?.as_ref() != Some(again) {
        let saved = store.save(vec![again.clone()]).await?;
        assert!(saved[0].is_saved());
        assert_eq!(store.load(Key::from(7)).await?.as_ref(), Some(again), "the store works");
    }
    store.scan(Scan::pages_of(1000)).await?;
    Ok(())
}

#[tokio::test]
async fn no_byte_of_the_file_stops_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let whole = filled(&folder.path().join("whole.redb")).await;
    let mut dice = 1_u64;
    let (began, mut number) = (Instant::now(), 0);
    while number < CASES || began.elapsed() < TIME {
        number += 1;
        let mut bytes = whole.clone();
        let mut below = |limit: usize| {
            dice = dice.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (dice >> 33) as usize % limit
        };
        let case = match number % 4 {
            0 => {
                bytes.truncate(1 + below(whole.len() - 1));
                format!("{} bytes are left", bytes.len())
            }
            1 => {
                let (at, bit) = (below(512), below(8));
                bytes[at] ^= 1 << bit;
                format!("bit {bit} of byte {at} is flipped")
            }
            2 => {
                let (at, length, byte) = (below(whole.len()), below(5000), below(256));
                let end = (at + length).min(whole.len());
                bytes[at..end].fill(u8::try_from(byte).unwrap());
                format!("bytes {at} to {end} are {byte}")
            }
            _ => {
                for _ in 0..8 {
                    let (at, byte) = (below(whole.len()), below(256));
                    bytes[at] = u8::try_from(byte).unwrap();
                }
                format!("case {number}: eight bytes are others")
            }
        };
        let place = tempfile::tempdir_in(folder.path()).unwrap();
        let path = place.path().join("sessions.redb");
        fs::write(&path, &bytes).unwrap();
        match RedbStore::open(options(&path)).await {
            Ok(store) => judge(&store, &case).await,
            // The number of the format: another program may have written it.
            Err(error) => assert!(error.to_string().contains("upgrade"), "{case}: {error}"),
        }
    }
}

#[tokio::test]
async fn a_truncated_file_is_put_aside_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.redb");
    let whole = filled(&path).await;
    for number in 1..=3 {
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        let store = RedbStore::open(options(&path)).await.unwrap();
        assert_eq!(store.load(Key::from(1)).await.unwrap(), None);
        assert_eq!(store.size().await.unwrap().damaged, number);
        let aside = folder.path().join(format!("sessions.redb.damaged-{number}"));
        assert_eq!(fs::read(aside).unwrap().len(), whole.len() / 2, "nothing of it is gone");
        store.close().await.unwrap();
    }
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = RedbStore::open(options(&path)).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unusable { .. }), "{error:?}");
    assert!(error.to_string().contains("3 damaged files are beside") && path.exists(), "{error}");
}
