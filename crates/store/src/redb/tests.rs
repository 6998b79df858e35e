use std::time::Duration;

use super::*;
use crate::{AppName, Lifetime, RecordVersion};

fn live(key: u128, content: &[u8]) -> Record {
    let lifetime = Lifetime::new(SystemTime::now(), Duration::from_secs(60), Duration::from_secs(60));
    let version = RecordVersion::new(vec![1]).unwrap();
    Record::live(key.into(), version, AppName::new("/shop").unwrap(), lifetime, content.to_vec()).unwrap()
}

#[tokio::test]
async fn a_flip_in_any_byte_of_a_record_quarantines_it_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = RedbStore::open(RedbOptions::new(folder.path().join("sessions.redb"))).await.unwrap();
    let (record, neighbour) = (live(1, b"content"), live(2, b"neighbour"));
    let sealed = codec::seal(&record);
    for place in 0..sealed.len() {
        store.save(vec![record.clone(), neighbour.clone()]).await.unwrap();
        let mut flipped = sealed.clone();
        flipped[place] ^= 1 << (place % 8);
        let insert = |database: &Database| {
            let writing = database.begin_write()?;
            writing.open_table(RECORDS)?.insert(1, &flipped[..])?;
            writing.commit()?;
            Ok(())
        };
        store.with(insert).unwrap();
        let error = store.load(Key::from(1)).await.unwrap_err();
        assert!(
            matches!(&error, StoreError::Damaged(damaged) if damaged.key == Some(Key::from(1))),
            "{error}"
        );
        assert_eq!(store.load(Key::from(1)).await.unwrap(), None);
        assert_eq!(store.load(Key::from(2)).await.unwrap().as_ref(), Some(&neighbour));
        assert_eq!(store.size().await.unwrap().damaged, 1, "the last damage of a session is kept");
    }
}

#[tokio::test]
async fn the_size_limit_refuses_new_records_and_accepts_smaller_ones() {
    let folder = tempfile::tempdir().unwrap();
    let options = RedbOptions { max_bytes: 10_000, ..RedbOptions::new(folder.path().join("sessions.redb")) };
    let store = RedbStore::open(options).await.unwrap();
    store.save(vec![live(1, &[0; 6000])]).await.unwrap();
    let error = store.save(vec![live(2, &[0; 6000])]).await.unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert_eq!(store.load(Key::from(2)).await.unwrap(), None, "nothing of a refused batch is stored");
    store.save(vec![live(1, b"small")]).await.unwrap();
    assert!(store.save(vec![live(2, &[0; 6000])]).await.unwrap()[0].is_saved());
}
