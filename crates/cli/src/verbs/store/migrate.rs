//! `sessile store migrate`: copies one store into another, or onto itself with other keys.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use sessile::store::{CopyReport, Store, copy};

use super::damages::Damages;
use super::location::{IfMissing, OpenedStore, StoreLocation, failed, in_words};
use super::save_counts::SaveCounts;
use crate::failure::Failure;
use crate::{output, runtime};

/// Interval of the progress messages.
const PROGRESS: Duration = Duration::from_secs(2);

/// From where to where.
#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// The store to read: file:FOLDER, redb:FILE, postgres://…, redis://… or config:FILE for that of a node
    #[arg(long, value_name = "STORE")]
    from: StoreLocation,
    /// The store to write; the same one to re-encrypt it
    #[arg(long, value_name = "STORE")]
    to: StoreLocation,
    /// The file with the keys of the source store
    #[arg(long, value_name = "FILE")]
    from_key_file: Option<PathBuf>,
    /// The file with the keys of the target store
    #[arg(long, value_name = "FILE")]
    to_key_file: Option<PathBuf>,
}

impl Migrate {
    pub(crate) fn run(self) -> Result<(), Failure> {
        runtime::run(async {
            let mut damages = Damages::default();
            let (from, damaged) = self.from.open(IfMissing::Refused).await?;
            damages.add(damaged);
            let (to, damaged) = self.target(&from).await?;
            damages.add(damaged);
            let from = self.from.sealed(from, self.from_key_file.as_deref())?;
            let to = self.to.sealed(to, self.to_key_file.as_deref())?;
            let done = migrate(&*from, &*to, &mut damages).await;
            let closed = from.close().await.and(to.close().await).map_err(failed);
            done.and(closed).and_then(|()| damages.verdict())
        })
    }

    /// A folder or file can be open only once, so the source is reused if both are the same.
    async fn target(&self, from: &Arc<dyn Store>) -> Result<OpenedStore, Failure> {
        if self.from == self.to {
            return Ok((Arc::clone(from), 0));
        }
        self.to.open(IfMissing::Made).await
    }
}

async fn migrate(from: &dyn Store, to: &dyn Store, damages: &mut Damages) -> Result<(), Failure> {
    let all = from.size().await.map_err(failed)?.records;
    let mut told_at = Instant::now();
    let copied = copy(from, to, |copied| {
        if told_at.elapsed() >= PROGRESS {
            output::tell(&format!("{} of about {all} records", seen(copied)));
            told_at = Instant::now();
        }
    });
    let copied = copied.await.map_err(|error| {
        Failure::Failed(format!(
            "{}. The copied records stay; run the same command again to continue",
            in_words(&error)
        ))
    })?;
    damages.add(copied.damaged.len());
    let mut counts =
        SaveCounts { saved: copied.saved, superseded: copied.superseded, ..SaveCounts::default() };
    for error in &copied.failed {
        counts.refuse(&error.to_string());
    }
    counts.conclude()
}

fn seen(copied: &CopyReport) -> u64 {
    copied.saved + copied.superseded + copied.failed.len() as u64
}
