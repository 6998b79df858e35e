//! A flipped bit in every byte of a file store.

use std::fs;
use std::path::{Path, PathBuf};

use sessile_store::{FileOptions, FileStore, Key, Record, Scan, Store, StoreError};

use crate::harness::{ended, live};

/// Session 2 has an older version, session 4 ended; the neighbours are whole.
async fn filled(folder: &Path) -> Vec<Record> {
    let store = FileStore::open(FileOptions::new(folder)).await.unwrap();
    store.save(vec![live(1, 1), live(2, 1), live(4, 1), live(5, 1)]).await.unwrap();
    let newest = vec![live(2, 2), live(3, 1), ended(4, 2), live(6, 1)];
    store.save(newest).await.unwrap();
    let all = store.scan(Scan::pages_of(100)).await.unwrap().records;
    store.close().await.unwrap();
    assert_eq!(all.len(), 6);
    all
}

fn segment(folder: &Path) -> PathBuf {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    names.into_iter().find(|path| path.extension().is_some_and(|ending| ending == "log")).unwrap()
}

/// What each session is to the store now: its record, or nothing. Never an error but damage.
async fn contents(store: &FileStore, all: &[Record]) -> (Vec<Option<Record>>, usize) {
    let mut damaged = store.damaged().len();
    let mut found = Vec::new();
    for record in all {
        found.push(match store.load(record.key).await {
            Ok(record) => record,
            Err(StoreError::Damaged(_)) => {
                damaged += 1;
                None
            }
            Err(error) => panic!("{error}"),
        });
    }
    (found, damaged)
}

fn judge(place: usize, all: &[Record], found: &[Option<Record>], damaged: usize) {
    let lost = all.iter().zip(found).filter(|(record, found)| found.as_ref() != Some(record));
    let lost: Vec<Key> = lost
        .map(|(record, found)| {
            assert_eq!(found, &None, "byte {place}: never wrong content, never an older version");
            record.key
        })
        .collect();
    assert!(lost.len() <= 1, "byte {place}: the others are not affected: {lost:?}");
    assert!(lost.is_empty() || damaged > 0, "byte {place}: {lost:?} is reported");
}

#[tokio::test]
async fn a_flip_found_at_the_start_costs_at_most_one_session() {
    let folder = tempfile::tempdir().unwrap();
    let all = filled(folder.path()).await;
    let path = segment(folder.path());
    let whole = fs::read(&path).unwrap();
    for place in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[place] ^= 1 << (place % 8);
        fs::write(&path, &flipped).unwrap();
        let _ = fs::remove_dir_all(folder.path().join("quarantine"));
        let store = FileStore::open(FileOptions::new(folder.path())).await.unwrap();
        let (found, damaged) = contents(&store, &all).await;
        judge(place, &all, &found, damaged);
        let aside = store.size().await.unwrap().damaged;
        assert_eq!(aside, damaged as u64, "byte {place}: what is reported was put aside");
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_flip_found_while_running_costs_at_most_one_session() {
    let folder = tempfile::tempdir().unwrap();
    let all = filled(folder.path()).await;
    let path = segment(folder.path());
    let whole = fs::read(&path).unwrap();
    for place in 0..whole.len() {
        fs::write(&path, &whole).unwrap();
        let store = FileStore::open(FileOptions::new(folder.path())).await.unwrap();
        let mut flipped = whole.clone();
        flipped[place] ^= 1 << (place % 8);
        fs::write(&path, &flipped).unwrap();
        let (found, damaged) = contents(&store, &all).await;
        judge(place, &all, &found, damaged);
        store.close().await.unwrap();
    }
}
