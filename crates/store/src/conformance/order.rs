//! Order of versions.

use super::Fixture;
use super::sample::{empty, ended, live, loaded, saved, version};

pub(super) async fn an_older_version_never_replaces_a_newer_one(fixture: &dyn Fixture) {
    let store = empty(fixture).await;
    let newer = live(1, 7, "newer");
    assert!(saved(&*store, &newer).await, "the first version of a session is stored");
    assert!(!saved(&*store, &live(1, 6, "older")).await, "an older version is not stored");
    assert_eq!(loaded(&*store, 1).await, Some(newer), "the newer version stays");
    let newest = live(1, 8, "newest");
    assert!(saved(&*store, &newest).await, "a newer version is stored");
    assert_eq!(loaded(&*store, 1).await, Some(newest), "the newest version is there");
    let again = live(1, 8, "sealed anew");
    assert!(saved(&*store, &again).await, "an equal version is stored again");
    assert_eq!(loaded(&*store, 1).await, Some(again), "with an equal version, the last save is there");
}

pub(super) async fn a_tombstone_beats_every_version(fixture: &dyn Fixture) {
    let store = empty(fixture).await;
    assert!(saved(&*store, &live(1, 7, "alive")).await);
    let tombstone = ended(1, 3);
    assert!(saved(&*store, &tombstone).await, "a tombstone is stored whatever its version");
    assert!(!saved(&*store, &live(1, 6, "slow")).await, "a slow save does not bring a session back");
    assert!(!saved(&*store, &live(1, 99, "newer")).await, "no save does, however new");
    assert_eq!(loaded(&*store, 1).await, Some(tombstone), "the tombstone stays");
    assert!(saved(&*store, &ended(2, 1)).await, "the end of an unknown session is stored");
    assert!(!saved(&*store, &live(2, 2, "late")).await, "a save that comes after its end is not");
}

pub(super) async fn the_greatest_version_of_a_batch_wins(fixture: &dyn Fixture) {
    let store = empty(fixture).await;
    let batch = vec![live(1, 1, "a"), live(2, 9, "b"), live(1, 3, "c"), live(1, 2, "d"), live(2, 9, "e")];
    let outcomes = store.save(batch).await.expect("a batch may name a session several times");
    let stored: Vec<bool> = outcomes.iter().map(crate::SaveOutcome::is_saved).collect();
    assert_eq!(stored, [true, true, true, false, true], "each outcome is as if the record came alone");
    assert_eq!(loaded(&*store, 1).await.and_then(|record| record.content().cloned()), Some("c".into()));
    assert_eq!(loaded(&*store, 2).await.and_then(|record| record.content().cloned()), Some("e".into()));
    assert!(store.save(Vec::new()).await.expect("an empty batch is no error").is_empty());
}

pub(super) async fn versions_are_ordered_byte_by_byte(fixture: &dyn Fixture) {
    let store = empty(fixture).await;
    let rising: [&[u8]; 9] = [b"", b"\0", b"\0\0", b"\0\xff", b"A", b"Z", b"a", b"\x7f", b"\x80"];
    for bytes in rising {
        let mut record = live(1, 0, "rising");
        record.version = version(bytes);
        assert!(saved(&*store, &record).await, "{bytes:?} is above what is before it in {rising:?}");
    }
    for bytes in rising.iter().take(rising.len() - 1) {
        let mut record = live(1, 0, "falling");
        record.version = version(bytes);
        assert!(!saved(&*store, &record).await, "{bytes:?} is below {:?}", rising.last());
    }
}

pub(super) async fn two_handles_agree_on_the_newest_version(fixture: &dyn Fixture) {
    let first = empty(fixture).await;
    let Some(second) = fixture.beside().await.expect("a second handle can be made") else { return };
    let records =
        |version: u64| (0..50).map(|key| live(key, version, &format!("version {version}"))).collect();
    let (rising, falling) = tokio::join!(
        async {
            for version in 1..=10 {
                first.save(records(version)).await.expect("the first handle saves");
            }
        },
        async {
            for version in (1..=10).rev() {
                let batch: Vec<_> = records(version);
                second.save(batch.into_iter().rev().collect()).await.expect("the second handle saves");
            }
        }
    );
    let ((), ()) = (rising, falling);
    for key in 0..50 {
        for store in [&first, &second] {
            let content = loaded(&**store, key).await.and_then(|record| record.content().cloned());
            assert_eq!(content, Some("version 10".into()), "the newest of two writers' versions stays");
        }
    }
    assert!(saved(&*second, &ended(7, 1)).await);
    assert!(!saved(&*first, &live(7, 11, "slow")).await, "the other handle's tombstone holds");
}
