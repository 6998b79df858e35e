//! Records for the suite.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::Fixture;
use crate::{AppName, Key, Lifetime, Record, RecordVersion, SaveOutcome, Store};

pub(super) async fn empty(fixture: &dyn Fixture) -> Arc<dyn Store> {
    fixture.empty().await.expect("the fixture makes an empty store")
}

pub(super) fn version(bytes: impl AsRef<[u8]>) -> RecordVersion {
    RecordVersion::new(bytes.as_ref().to_vec()).expect("the suite's versions are short")
}

pub(super) fn app(name: &str) -> AppName {
    AppName::new(name).expect("the suite's apps are well named")
}

pub(super) fn lifetime() -> Lifetime {
    Lifetime::new(SystemTime::now(), Duration::from_secs(1800), Duration::from_secs(86_400))
}

pub(super) fn live(key: u128, number: u64, content: &str) -> Record {
    let content = content.as_bytes().to_vec();
    Record::live(key.into(), version(number.to_be_bytes()), app("/shop"), lifetime(), content)
        .expect("the suite's content is short")
}

pub(super) fn ended(key: u128, number: u64) -> Record {
    Record::ended(key.into(), version(number.to_be_bytes()), app("/shop"), lifetime())
}

/// Saves one record; whether it was stored.
pub(super) async fn saved(store: &dyn Store, record: &Record) -> bool {
    let outcomes = store.save(vec![record.clone()]).await.expect("a save in a healthy store");
    assert_eq!(outcomes.len(), 1, "{}: one outcome for each record", store.name());
    match &outcomes[0] {
        SaveOutcome::Saved => true,
        SaveOutcome::Superseded => false,
        SaveOutcome::Failed(error) => panic!("{}: a save failed: {error}", store.name()),
    }
}

pub(super) async fn loaded(store: &dyn Store, key: u128) -> Option<Record> {
    store.load(Key::from(key)).await.expect("a load from a healthy store")
}
