//! The arguments that name a store.

use std::path::PathBuf;

use clap::Args;
use sessile::store::Store;

use super::damages::Damages;
use super::location::{IfMissing, StoreLocation, failed};
use crate::failure::Failure;
use crate::runtime;

/// Which store.
#[derive(Debug, Args)]
pub(super) struct StoreArgument {
    /// The store: file:FOLDER, redb:FILE, postgres://… or redis://…
    #[arg(long, value_name = "STORE", required_unless_present = "config", conflicts_with = "config")]
    store: Option<StoreLocation>,
    /// The configuration of a node, for the store that it describes
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The file with the keys of the store
    #[arg(long, value_name = "FILE", requires = "store")]
    key_file: Option<PathBuf>,
}

impl StoreArgument {
    /// Runs `work` with the open store and closes it. DamagedRecord records make it a failure in the end.
    pub(super) fn using(
        &self,
        missing: IfMissing,
        work: impl AsyncFnOnce(&dyn Store, &mut Damages) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        runtime::run(async {
            let place = self.place()?;
            let (store, damaged) = place.open(missing).await?;
            let store = place.sealed(store, self.key_file.as_deref())?;
            let mut damages = Damages::default();
            damages.add(damaged);
            let done = work(&*store, &mut damages).await;
            let closed = store.close().await.map_err(failed);
            done.and(closed).and_then(|()| damages.verdict())
        })
    }

    fn place(&self) -> Result<StoreLocation, Failure> {
        let configured = || self.config.clone().map(StoreLocation::Config);
        self.store.clone().or_else(configured).ok_or_else(|| Failure::Usage("name a store".to_owned()))
    }
}
