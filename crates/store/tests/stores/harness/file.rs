//! A file store in a temporary folder.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use sessile_store::conformance::Fixture;
use sessile_store::{FileOptions, FileStore, Key, Store, StoreFuture};
use tempfile::TempDir;

#[derive(Default)]
pub struct FileFixture(Mutex<Vec<TempDir>>);

impl FileFixture {
    fn folder(&self) -> PathBuf {
        self.0.lock().unwrap().last().unwrap().path().join("sessions")
    }

    async fn open(&self) -> Result<Arc<dyn Store>, sessile_store::StoreError> {
        Ok(Arc::new(FileStore::open(FileOptions::new(self.folder())).await?))
    }
}

impl Fixture for FileFixture {
    fn empty(&self) -> StoreFuture<'_, Arc<dyn Store>> {
        self.0.lock().unwrap().push(tempfile::tempdir().unwrap());
        Box::pin(self.open())
    }

    fn again(&self) -> StoreFuture<'_, Option<Arc<dyn Store>>> {
        Box::pin(async { self.open().await.map(Some) })
    }

    fn damage(&self, key: Key) -> StoreFuture<'_, bool> {
        Box::pin(async move {
            for entry in fs::read_dir(self.folder()).unwrap() {
                let path = entry.unwrap().path();
                let mut bytes = fs::read(&path).unwrap_or_default();
                // The second place is the record; the first is the head of its frame.
                let places: Vec<_> =
                    bytes.windows(16).enumerate().filter(|(_, window)| *window == key.0).collect();
                if let Some((place, _)) = places.get(1) {
                    let last = place + 17;
                    bytes[last] ^= 1;
                    fs::write(&path, bytes).unwrap();
                    return Ok(true);
                }
            }
            panic!("no segment holds {key}");
        })
    }
}
