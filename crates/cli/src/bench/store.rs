//! `sessile bench store`: speed of each store (save, load, reopen) against the raw speed of the medium in the
//! same run, and the cost of write-behind for a request.
//!
//! Next: `store/write_behind.rs` sends requests to nodes with and without a store, `store/load.rs` generates
//! the sessions, `store/medium.rs` writes bytes without any store, `store/trial.rs` measures one store,
//! `store/findings.rs` presents the findings.

mod findings;
mod load;
mod medium;
mod trial;
mod write_behind;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use sessile::store::{KeyRing, PostgresOptions, RedisOptions};
use tempfile::TempDir;

use self::findings::StoreReport;
use self::load::StoreLoad;
use self::trial::StoreTarget;
use self::write_behind::RequestPlan;
use super::output_options::OutputOptions;
use crate::failure::Failure;
use crate::{output, runtime};

/// Table name, or key prefix, in servers: no other data is touched.
const OURS: &str = "sessile_bench";

/// Sessions in a --quick run.
const QUICK: usize = 2_000;

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct StoreBench {
    /// Sessions in each store; 2,000 with --quick
    #[arg(long, value_name = "COUNT", default_value_t = 100_000, conflicts_with = "quick", value_parser = count(1..=10_000_000))]
    sessions: usize,
    /// Bytes of one session
    #[arg(long, value_name = "BYTES", default_value_t = 1024, value_parser = count(1..=1 << 20))]
    bytes: usize,
    /// Sessions in one save
    #[arg(long, value_name = "COUNT", default_value_t = 256, value_parser = count(1..=10_000))]
    batch: usize,
    /// Folder for the temporary files, on the measured medium (not a memory file system)
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
    /// Also measure this PostgreSQL server; its table `sessile_bench` is filled and emptied
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// Also measure this Valkey or Redis server; keys with the prefix `sessile_bench` are created and removed
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    #[command(flatten)]
    output: OutputOptions,
}

fn count(range: std::ops::RangeInclusive<u64>) -> impl clap::builder::TypedValueParser<Value = usize> {
    use clap::builder::TypedValueParser;
    clap::value_parser!(u64).range(range).try_map(usize::try_from)
}

impl StoreBench {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let sink = self.output.begin("store")?;
        let sessions = if self.output.quick { QUICK } else { self.sessions };
        let load = StoreLoad { sessions, bytes: self.bytes, batch: self.batch };
        let folder = tempfile::Builder::new().prefix("sessile-bench-").tempdir_in(&self.folder);
        let folder =
            folder.map_err(|error| Failure::Failed(format!("{}: {error}", self.folder.display())))?;
        let (trials, behind) = runtime::run(async {
            let mut trials = Vec::new();
            for kind in self.kinds(&folder)? {
                output::tell(&format!("measuring {} …", kind.name()));
                trials.push(trial::measure(&kind, &load, folder.path()).await?);
            }
            output::tell("measuring requests with and without a store …");
            Ok((trials, write_behind::measure(self.plan(), folder.path()).await?))
        })?;
        sink.show(&StoreReport { load, trials, behind })
    }

    fn plan(&self) -> RequestPlan {
        let (rounds, round) =
            if self.output.quick { (2, Duration::from_millis(50)) } else { (10, Duration::from_secs(2)) };
        RequestPlan { bytes: self.bytes, rounds, round }
    }

    fn kinds(&self, folder: &TempDir) -> Result<Vec<StoreTarget>, Failure> {
        let path = |name: &str| folder.path().join(name);
        let mut kinds = vec![
            StoreTarget::File(path("file")),
            StoreTarget::Encrypted(path("encrypted"), new_keys(&path("store.key"))?),
            StoreTarget::Redb(path("sessions.redb")),
        ];
        if let Some(url) = &self.postgres {
            let mut options = PostgresOptions::new(url);
            options.names.table = OURS.to_owned();
            kinds.push(StoreTarget::Postgres(options));
        }
        if let Some(url) = &self.redis {
            let mut options = RedisOptions::new(url);
            options.prefix = OURS.to_owned();
            kinds.push(StoreTarget::Redis(options));
        }
        Ok(kinds)
    }
}

fn new_keys(path: &Path) -> Result<KeyRing, Failure> {
    KeyRing::create(path).map_err(|error| Failure::Failed(error.to_string()))
}
