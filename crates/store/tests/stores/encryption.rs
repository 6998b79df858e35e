//! Encryption at rest: content on the medium, and key changes.

use std::sync::Arc;

use sessile_store::{
    Encrypted, FileOptions, FileStore, Key, Record, RecordContent, RecordVersion, Store, StoreError, copy,
};

use crate::harness::{live, ring};

async fn plain() -> (tempfile::TempDir, Arc<dyn Store>) {
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::open(FileOptions::new(folder.path().join("sessions"))).await.unwrap();
    (folder, Arc::new(store))
}

fn with(store: &Arc<dyn Store>, keys: &[u8]) -> Encrypted {
    Encrypted::new(Arc::clone(store), ring(keys))
}

#[tokio::test]
async fn the_medium_never_sees_the_content() {
    let (folder, store) = plain().await;
    with(&store, &[1]).save(vec![live(1, 1)]).await.unwrap();
    for entry in std::fs::read_dir(folder.path().join("sessions")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap_or_default();
        assert!(!bytes.windows(7).any(|window| window == b"content"));
    }
}

#[tokio::test]
async fn keys_rotate_and_an_old_one_can_be_retired() {
    let (_folder, store) = plain().await;
    with(&store, &[1]).save(vec![live(1, 1), live(2, 1)]).await.unwrap();
    let both = with(&store, &[2, 1]);
    both.save(vec![live(3, 1)]).await.unwrap();
    assert_eq!(both.load(Key::from(1)).await.unwrap(), Some(live(1, 1)), "the old key still decrypts");
    let error = with(&store, &[2]).load(Key::from(1)).await.unwrap_err();
    assert!(matches!(error, StoreError::Undecryptable { .. }), "a missing key is no damage: {error:?}");
    assert!(error.to_string().contains("not in the key file"), "{error}");
    assert_eq!(copy(&both, &both, |_| {}).await.unwrap().saved, 3);
    let new = with(&store, &[2]);
    for key in 1..=3 {
        assert_eq!(new.load(Key::from(key)).await.unwrap(), Some(live(key, 1)), "all is under the new key");
    }
}

#[tokio::test]
async fn content_under_another_session_version_or_app_is_refused() {
    let (_folder, store) = plain().await;
    let sealed = with(&store, &[1]);
    sealed.save(vec![live(1, 1)]).await.unwrap();
    let genuine = store.load(Key::from(1)).await.unwrap().unwrap();
    let moved = Record { key: Key::from(2), ..genuine.clone() };
    let renewed =
        Record { version: RecordVersion::new(vec![9; 8]).unwrap(), key: Key::from(1), ..genuine.clone() };
    let other_app = Record { app: sessile_store::AppName::new("/other").unwrap(), ..renewed.clone() };
    for forged in [moved, renewed, other_app] {
        store.save(vec![forged.clone()]).await.unwrap();
        let error = sealed.load(forged.key).await.unwrap_err();
        assert!(matches!(error, StoreError::Damaged(_)), "{error:?}");
    }
}

#[tokio::test]
async fn plain_content_is_refused_until_it_is_migrated() {
    let (_folder, store) = plain().await;
    store.save(vec![live(1, 1)]).await.unwrap();
    let sealed = with(&store, &[1]);
    let error = sealed.load(Key::from(1)).await.unwrap_err();
    assert!(
        matches!(error, StoreError::Undecryptable { .. }) && error.to_string().contains("encrypted"),
        "{error}"
    );
    copy(&*store, &sealed, |_| {}).await.unwrap();
    assert_eq!(sealed.load(Key::from(1)).await.unwrap(), Some(live(1, 1)));
    let stored = store.load(Key::from(1)).await.unwrap().unwrap();
    assert_ne!(stored.content, RecordContent::Live(live(1, 1).content().unwrap().clone()));
}

#[tokio::test]
async fn a_record_that_cannot_be_decrypted_hides_no_other() {
    let (_folder, store) = plain().await;
    store.save(vec![live(1, 1)]).await.unwrap();
    with(&store, &[3]).save(vec![live(2, 1)]).await.unwrap();
    let sealed = with(&store, &[1]);
    sealed.save(vec![live(3, 1)]).await.unwrap();
    let page = sealed.scan(sessile_store::Scan::pages_of(9)).await.unwrap();
    assert_eq!((page.records.as_slice(), page.undecryptable.len()), (&[live(3, 1)][..], 2));
    assert!(page.all_decrypted().is_err(), "a copy stops instead of leaving them out");
    sealed.save(vec![live(1, 2)]).await.unwrap();
    assert_eq!(sealed.load(Key::from(1)).await.unwrap(), Some(live(1, 2)), "a newer version takes its place");
}

#[tokio::test]
async fn a_migration_can_be_repeated() {
    let (_folder, store) = plain().await;
    store.save(vec![live(1, 1)]).await.unwrap();
    let sealed = with(&store, &[1]);
    copy(&*store, &sealed, |_| {}).await.unwrap();
    store.save(vec![live(2, 1)]).await.unwrap();
    copy(&*store, &sealed, |_| {}).await.unwrap();
    for key in 1..=2 {
        assert_eq!(sealed.load(Key::from(key)).await.unwrap(), Some(live(key, 1)), "encrypted once");
    }
}
