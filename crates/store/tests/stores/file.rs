//! The file store through the suite, plain and encrypted.

use crate::harness::{FileFixture, sealed};
use sessile_store::conformance;

#[tokio::test]
async fn the_file_store_conforms() {
    conformance::check(&FileFixture::default()).await;
}

#[tokio::test]
async fn the_encrypted_file_store_conforms() {
    conformance::check(&sealed(FileFixture::default())).await;
}
