//! Durability of saved records.

use std::time::{Duration, SystemTime};

use super::Fixture;
use super::sample::{app, empty, ended, lifetime, live, loaded, saved, version};
use crate::{Key, Lifetime, Record, RecordContent, RecordVersion, SaveOutcome, Scan, Store, StoreError};

pub(super) async fn a_record_is_given_back_as_it_was_saved(fixture: &dyn Fixture) {
    let store = empty(fixture).await;
    let every_byte: Vec<u8> = (0..=255).collect();
    let longest = Lifetime::new(SystemTime::now(), Duration::MAX, Duration::MAX);
    let records = [
        Record { content: RecordContent::Live(every_byte.clone().into()), ..live(0, 1, "") },
        Record { version: version([0xff; RecordVersion::LIMIT]), ..live(u128::MAX, 1, "long version") },
        Record { version: version([]), app: app(""), ..live(2, 1, "") },
        Record { app: app(&"/é".repeat(80)), ..live(3, 1, "named") },
        Record { lifetime: longest, ..live(4, 1, "endless") },
        Record { content: RecordContent::Live(vec![7; 1 << 20].into()), ..live(5, 1, "") },
        ended(6, 1),
    ];
    for record in &records {
        assert!(saved(&*store, record).await);
    }
    for record in &records {
        let found = loaded(&*store, record.key.into()).await;
        assert_eq!(found.as_ref(), Some(record), "a record comes back as it was saved");
    }
    assert_eq!(loaded(&*store, 7).await, None, "a session that was never saved is not there");
}

pub(super) async fn saved_records_survive_closing(fixture: &dyn Fixture) {
    let store = empty(fixture).await;
    let records = [live(1, 2, "one"), live(2, 2, "two"), ended(3, 2)];
    store.save(records.to_vec()).await.expect("a save");
    saved(&*store, &live(1, 1, "older")).await;
    store.close().await.expect("a healthy store can be closed");
    let Some(store) = fixture.again().await.expect("a closed store can be opened again") else { return };
    for record in &records {
        assert_eq!(loaded(&*store, record.key.into()).await.as_ref(), Some(record));
    }
    assert!(!saved(&*store, &live(3, 9, "late")).await, "a tombstone is there after closing");
    assert_eq!(store.size().await.expect("a size").records, 3);
}

pub(super) async fn a_closed_store_says_so(fixture: &dyn Fixture) {
    let store = empty(fixture).await;
    store.close().await.expect("a healthy store can be closed");
    store.close().await.expect("closing twice is harmless");
    let closed = |error: StoreError| assert!(matches!(error, StoreError::Closed { .. }), "{error}");
    closed(store.save(vec![live(1, 1, "late")]).await.expect_err("a closed store saves nothing"));
    closed(store.load(Key::from(1)).await.expect_err("a closed store loads nothing"));
    closed(store.scan(Scan::pages_of(1)).await.expect_err("a closed store lists nothing"));
    closed(store.purge(SystemTime::now()).await.expect_err("a closed store purges nothing"));
    closed(store.size().await.expect_err("a closed store has no size"));
}

pub(super) async fn a_damaged_record_harms_no_other(fixture: &dyn Fixture) {
    let store = empty(fixture).await;
    let others = [live(1, 1, "first"), live(3, 1, "third"), live(5, 1, "fifth")];
    store.save(others.to_vec()).await.expect("a save");
    store.save(vec![live(2, 1, "second"), live(4, 1, "fourth")]).await.expect("a save");
    let damaged = fixture.damage(Key::from(2)).await.expect("the fixture can reach the medium");
    if !damaged {
        return;
    }
    assert!(fixture.damage(Key::from(4)).await.expect("the fixture can reach the medium"));
    let error = store.load(Key::from(2)).await.expect_err("damaged content is never given out");
    let StoreError::Damaged(found) = error else {
        panic!("{}: damage is called damage: {error}", store.name())
    };
    assert_eq!(found.key, Some(Key::from(2)), "the damaged session is named");
    let page = store.scan(Scan::pages_of(10)).await.expect("damage does not end a scan");
    let keys: Vec<Option<Key>> = page.damaged.iter().map(|damaged| damaged.key).collect();
    assert!(keys.contains(&Some(Key::from(4))), "a scan reports what it finds damaged: {keys:?}");
    assert_eq!(page.records, others, "the others are given out");
    put_aside(&*store).await;
}

/// Damage found by the store itself is quarantined; damage that only an upper layer can detect stays.
async fn put_aside(store: &dyn Store) {
    if store.size().await.expect("a size").damaged == 0 {
        return;
    }
    assert_eq!(loaded(store, 2).await, None, "what was put aside is not there any more");
    assert_eq!(store.size().await.expect("a size").damaged, 2, "what was put aside is counted");
    let anew = live(2, 1, "anew");
    assert!(saved(store, &anew).await, "a session that was put aside can be saved again");
    assert_eq!(loaded(store, 2).await, Some(anew));
}

pub(super) async fn an_oversized_record_fails_alone(fixture: &dyn Fixture) {
    let store = empty(fixture).await;
    let content = RecordContent::Live(vec![1; Record::CONTENT_LIMIT + 1].into());
    let large =
        Record { key: 1.into(), version: version([1]), app: app("/shop"), lifetime: lifetime(), content };
    let outcomes = store.save(vec![live(2, 1, "small"), large]).await.expect("one bad record is no failure");
    assert!(outcomes[0].is_saved(), "the small one is stored");
    assert!(matches!(outcomes[1], SaveOutcome::Failed(_)), "the large one fails by itself: {outcomes:?}");
    assert_eq!(loaded(&*store, 1).await, None);
}
