//! The store that a verb works on, as its arguments name it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use sessile_store::{Encrypted, KeyRing, Store};

use super::damages::Damages;
use super::place::{Missing, Place, failed};
use crate::failure::Failure;
use crate::runtime;

/// Which store.
#[derive(Debug, Args)]
pub(super) struct WhichStore {
    /// The store: file:FOLDER, redb:FILE, postgres://… or redis://…
    #[arg(long, value_name = "STORE")]
    store: Place,
    /// The file with the keys that the store is encrypted with
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl WhichStore {
    /// Does the work with the open store, and closes it. What was damaged makes it a failure in the end.
    pub(super) fn using(
        &self,
        missing: Missing,
        work: impl AsyncFnOnce(&dyn Store, &mut Damages) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        runtime::run(async {
            let (store, damaged) = self.store.open(missing).await?;
            let store = sealed(store, self.key_file.as_deref())?;
            let mut damages = Damages::default();
            damages.add(damaged);
            let done = work(&*store, &mut damages).await;
            let closed = store.close().await.map_err(failed);
            done.and(closed).and_then(|()| damages.verdict())
        })
    }
}

/// The store as it is with these keys around it.
pub(super) fn sealed(store: Arc<dyn Store>, key_file: Option<&Path>) -> Result<Arc<dyn Store>, Failure> {
    let Some(path) = key_file else { return Ok(store) };
    let keys = KeyRing::load(path).map_err(|error| Failure::Failed(error.to_string()))?;
    Ok(Arc::new(Encrypted::new(store, keys)))
}
