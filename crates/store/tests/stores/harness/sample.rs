//! Records and waits of the tests.

use std::time::{Duration, UNIX_EPOCH};

use sessile_store::{AppName, Key, Lifetime, Record, RecordVersion, Store};

fn lifetime() -> Lifetime {
    Lifetime::new(
        UNIX_EPOCH + Duration::from_secs(1_800_000_000),
        Duration::from_secs(1800),
        Duration::from_secs(86_400),
    )
}

fn version(number: u64) -> RecordVersion {
    RecordVersion::new(number.to_be_bytes().to_vec()).unwrap()
}

pub fn live(key: u128, number: u64) -> Record {
    let content = format!("content {number} of {key}").into_bytes();
    Record::live(key.into(), version(number), AppName::new("/shop").unwrap(), lifetime(), content).unwrap()
}

pub fn ended(key: u128, number: u64) -> Record {
    Record::ended(key.into(), version(number), AppName::new("/shop").unwrap(), lifetime())
}

/// A store whose server was killed and started again holds session 1, and saves with the handle that it had.
pub async fn again_once_it_is_back(store: &dyn Store) {
    let outcomes = loop {
        match store.save(vec![live(1, 3)]).await {
            Ok(outcomes) => break outcomes,
            Err(error) => assert!(error.is_transient(), "{error:?}"),
        }
    };
    assert!(outcomes[0].is_saved());
    assert_eq!(store.load(Key::from(1)).await.unwrap(), Some(live(1, 3)));
}
