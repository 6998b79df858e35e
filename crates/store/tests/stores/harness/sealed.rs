//! Any fixture with encryption around its stores.

use std::sync::Arc;

use sessile_store::conformance::Fixture;
use sessile_store::{Encrypted, Key, KeyRing, Store, StoreFuture};

pub struct Sealed<F>(F);

pub fn sealed<F: Fixture>(fixture: F) -> Sealed<F> {
    Sealed(fixture)
}

/// Keys made of one byte each.
pub fn ring(keys: &[u8]) -> KeyRing {
    use base64::Engine;
    let lines: Vec<String> =
        keys.iter().map(|key| base64::prelude::BASE64_STANDARD.encode([*key; 32])).collect();
    KeyRing::parse(&lines.join("\n"), "test").unwrap()
}

fn around(store: Arc<dyn Store>) -> Arc<dyn Store> {
    Arc::new(Encrypted::new(store, ring(&[1])))
}

impl<F: Fixture> Fixture for Sealed<F> {
    fn empty(&self) -> StoreFuture<'_, Arc<dyn Store>> {
        Box::pin(async { self.0.empty().await.map(around) })
    }

    fn beside(&self) -> StoreFuture<'_, Option<Arc<dyn Store>>> {
        Box::pin(async { Ok(self.0.beside().await?.map(around)) })
    }

    fn again(&self) -> StoreFuture<'_, Option<Arc<dyn Store>>> {
        Box::pin(async { Ok(self.0.again().await?.map(around)) })
    }

    fn damage(&self, key: Key) -> StoreFuture<'_, bool> {
        self.0.damage(key)
    }
}
