//! The embedded database through the suite.

use crate::harness::{RedbFixture, sealed};
use sessile_store::{RedbOptions, RedbStore, StoreError, conformance};

#[tokio::test]
async fn the_redb_store_conforms() {
    conformance::check(&RedbFixture::default()).await;
    conformance::check(&sealed(RedbFixture::default())).await;
}

#[tokio::test]
async fn two_processes_cannot_share_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let options = RedbOptions::new(folder.path().join("sessions.redb"));
    let _first = RedbStore::open(options.clone()).await.unwrap();
    let error = RedbStore::open(options).await.unwrap_err();
    assert!(matches!(error, StoreError::Unusable { .. }), "{error}");
    assert!(error.to_string().contains("its own file"), "{error}");
}
