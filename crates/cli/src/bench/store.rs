//! `sessile bench store`: how fast each store saves, loads and opens again, beside the raw speed of the medium in the
//! same run; and what write-behind costs a request.
//!
//! Next: `store/behind.rs` sends requests to nodes with and without a store, `store/load.rs` makes the sessions, `store/medium.rs` writes bytes without any store, `store/trial.rs` measures
//! one store.

mod behind;
mod load;
mod medium;
mod trial;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use sessile::store::{KeyRing, PostgresOptions, RedisOptions};
use tempfile::TempDir;

use self::behind::{Behind, Plan};
use self::load::Load;
use self::trial::{Kind, Trial};
use crate::failure::Failure;
use crate::{output, runtime};

/// The table, or what keys begin with, in servers: nothing of anybody else's is touched.
const OURS: &str = "sessile_bench";

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct StoreBench {
    /// Sessions in each store
    #[arg(long, value_name = "COUNT", default_value_t = 100_000, value_parser = count(1..=10_000_000))]
    sessions: usize,
    /// Bytes of one session
    #[arg(long, value_name = "BYTES", default_value_t = 1024, value_parser = count(1..=1 << 20))]
    bytes: usize,
    /// Sessions that are saved at once
    #[arg(long, value_name = "COUNT", default_value_t = 256, value_parser = count(1..=10_000))]
    batch: usize,
    /// Where the files are made, and removed again: on the medium to measure, which a folder in memory is not
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
    /// A PostgreSQL server, too; the table `sessile_bench` in it is filled and emptied
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// A Valkey or Redis server, too; keys that begin with `sessile_bench` are made and removed
    #[arg(long, value_name = "URL")]
    redis: Option<String>,
    /// Only 2,000 sessions: to see that it works, not how fast
    #[arg(long, conflicts_with = "sessions")]
    quick: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

fn count(range: std::ops::RangeInclusive<u64>) -> impl clap::builder::TypedValueParser<Value = usize> {
    use clap::builder::TypedValueParser;
    clap::value_parser!(u64).range(range).try_map(usize::try_from)
}

impl StoreBench {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let sessions = if self.quick { 2_000 } else { self.sessions };
        let load = Load { sessions, bytes: self.bytes, batch: self.batch };
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
            Ok((trials, behind::measure(self.plan(), folder.path()).await?))
        })?;
        let text = if self.json {
            format!("{:#}", as_json(&load, &trials, &behind))
        } else {
            table(&load, &trials) + &behind_in_words(&behind)
        };
        output::print(&text)
    }

    fn plan(&self) -> Plan {
        let (rounds, round) =
            if self.quick { (2, Duration::from_millis(50)) } else { (10, Duration::from_secs(2)) };
        Plan { bytes: self.bytes, rounds, round }
    }

    fn kinds(&self, folder: &TempDir) -> Result<Vec<Kind>, Failure> {
        let path = |name: &str| folder.path().join(name);
        let mut kinds = vec![
            Kind::File(path("file")),
            Kind::Encrypted(path("encrypted"), new_keys(&path("store.key"))?),
            Kind::Redb(path("sessions.redb")),
        ];
        if let Some(url) = &self.postgres {
            let mut options = PostgresOptions::new(url);
            options.names.table = OURS.to_owned();
            kinds.push(Kind::Postgres(options));
        }
        if let Some(url) = &self.redis {
            let mut options = RedisOptions::new(url);
            options.prefix = OURS.to_owned();
            kinds.push(Kind::Redis(options));
        }
        Ok(kinds)
    }
}

fn new_keys(path: &Path) -> Result<KeyRing, Failure> {
    KeyRing::create(path).map_err(|error| Failure::Failed(error.to_string()))
}

fn table(load: &Load, trials: &[Trial]) -> String {
    let mut text = format!(
        "{} sessions of {} bytes, saved {} at once; loaded one after the other\n\n{:<16} {:>10} {:>10} {:>9} {:>10} {:>12}\n",
        load.sessions,
        load.bytes,
        load.batch,
        "STORE",
        "SAVES/S",
        "MEDIUM/S",
        "OF MEDIUM",
        "LOADS/S",
        "OPEN + SCAN"
    );
    for trial in trials {
        let medium = trial.medium_per_second.map_or("-".to_owned(), |rate| format!("{rate:.0}"));
        let share = trial.share().map_or("-".to_owned(), |share| format!("{share:.2}"));
        let opened = format!("{:.0} ms", trial.reopened.as_secs_f64() * 1e3);
        text.push_str(&format!(
            "{:<16} {:>10.0} {medium:>10} {share:>9} {:>10.0} {opened:>12}\n",
            trial.name, trial.saves_per_second, trial.loads_per_second
        ));
    }
    text
}

fn behind_in_words(behind: &Behind) -> String {
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    format!(
        "\nwrite-behind: the middle one of {} requests takes {:.1} µs without a store and {:.1} µs with one, {:.2} times as long\n",
        behind.requests,
        micros(behind.without),
        micros(behind.with),
        behind.ratio()
    )
}

fn as_json(load: &Load, trials: &[Trial], behind: &Behind) -> Value {
    let stores = trials.iter().map(|trial| {
        json!({
            "store": trial.name,
            "saves_per_second": trial.saves_per_second,
            "medium_per_second": trial.medium_per_second,
            "share_of_medium": trial.share(),
            "loads_per_second": trial.loads_per_second,
            "open_and_scan_ms": trial.reopened.as_secs_f64() * 1e3,
        })
    });
    json!({
        "sessions": load.sessions,
        "bytes": load.bytes,
        "batch": load.batch,
        "stores": stores.collect::<Vec<_>>(),
        "write_behind": {
            "requests": behind.requests,
            "without_us": behind.without.as_secs_f64() * 1e6,
            "with_us": behind.with.as_secs_f64() * 1e6,
            "ratio": behind.ratio(),
        },
    })
}
