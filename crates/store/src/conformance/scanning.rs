//! Pages, filters and garbage.

use std::time::{Duration, SystemTime};

use super::Fixture;
use super::sample::{app, empty, ended, live, loaded};
use crate::{Key, Lifetime, Record, Scan, Store};

async fn all(store: &dyn Store, mut scan: Scan) -> Vec<Record> {
    let mut records = Vec::new();
    loop {
        let page = store.scan(scan.clone()).await.expect("a page");
        assert!(page.records.len() <= scan.limit, "a page is not longer than asked for");
        assert!(page.damaged.is_empty(), "nothing is damaged: {:?}", page.damaged);
        records.extend(page.records);
        let Some(next) = page.next else { return records };
        assert!(scan.after.is_none_or(|after| after < next), "a scan goes forward");
        scan.after = Some(next);
    }
}

pub(super) async fn pages_hold_every_record_once(fixture: &dyn Fixture) {
    let store = empty(fixture).await;
    assert_eq!(all(&*store, Scan::pages_of(3)).await, [], "an empty store has an empty page");
    // Keys that lie together and keys that lie apart.
    let keys = (0..10).chain((1..=30).map(|nth| u128::MAX / 31 * nth));
    let mut records: Vec<Record> = keys.map(|key| live(key, 1, "x")).collect();
    records[5] = ended(5, 1);
    let mut shuffled = records.clone();
    shuffled.reverse();
    store.save(shuffled).await.expect("a save");
    for limit in [1, 7, 40, 1000] {
        assert_eq!(all(&*store, Scan::pages_of(limit)).await, records, "in pages of {limit}");
    }
    assert_eq!(store.size().await.expect("a size").records, 40);
}

pub(super) async fn a_scan_can_be_for_one_app(fixture: &dyn Fixture) {
    let store = empty(fixture).await;
    let of = |key, name| Record { app: app(name), ..live(key, 1, "x") };
    let records = [of(1, "/a"), of(2, "/b"), of(3, "/a"), of(4, "/ab"), of(5, "/a")];
    store.save(records.to_vec()).await.expect("a save");
    let found = all(&*store, Scan { app: Some(app("/a")), ..Scan::pages_of(2) }).await;
    assert_eq!(found, [records[0].clone(), records[2].clone(), records[4].clone()]);
    assert_eq!(all(&*store, Scan { app: Some(app("/none")), ..Scan::pages_of(2) }).await, []);
}

pub(super) async fn purge_removes_only_garbage(fixture: &dyn Fixture) {
    let store = empty(fixture).await;
    let now = SystemTime::now();
    let kept_for = |record: Record, seconds| Record {
        lifetime: Lifetime::new(now, Duration::from_secs(60), Duration::from_secs(seconds)),
        ..record
    };
    let records = vec![
        kept_for(live(1, 1, "garbage"), 100),
        kept_for(live(2, 1, "kept"), 10_000),
        kept_for(ended(3, 1), 100),
        kept_for(ended(4, 1), 10_000),
    ];
    store.save(records.clone()).await.expect("a save");
    assert_eq!(store.purge(now).await.expect("a purge"), 0, "nothing is garbage yet");
    let later = now + Duration::from_secs(1000);
    assert_eq!(store.purge(later).await.expect("a purge"), 2, "one session and one tombstone are garbage");
    assert_eq!(store.purge(later).await.expect("a purge"), 0, "and then nothing is");
    assert_eq!(all(&*store, Scan::pages_of(9)).await, [records[1].clone(), records[3].clone()]);
    assert_eq!(loaded(&*store, 1).await, None);
    assert_eq!(store.size().await.expect("a size").records, 2);
    store.close().await.expect("a healthy store can be closed");
    let Some(store) = fixture.again().await.expect("a closed store can be opened again") else { return };
    assert!(store.load(Key::from(1)).await.expect("a load").is_none(), "garbage does not come back");
}
