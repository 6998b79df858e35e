//! Findings of `bench store` as table, JSON, rows and plots.

use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::load::StoreLoad;
use super::trial::StoreTrial;
use super::write_behind::WriteBehindCost;
use crate::bench::output_options::BenchFindings;
use crate::bench::report::{Row, plot};
use crate::bench::run_settings::Circumstances;
use crate::bench::samples::milliseconds;
use crate::bench::table::{Table, known};

/// Findings of all stores.
pub(super) struct StoreReport {
    pub(super) load: StoreLoad,
    pub(super) trials: Vec<StoreTrial>,
    pub(super) behind: WriteBehindCost,
}

impl StoreReport {
    fn as_json(&self) -> Value {
        let Self { load, trials, behind } = self;
        let stores = trials.iter().map(|trial| {
            json!({
                "store": trial.name,
                "saves_per_second": trial.saves_per_second,
                "medium_per_second": trial.medium_per_second,
                "share_of_medium": trial.share(),
                "loads_per_second": trial.loads_per_second,
                "open_and_scan_ms": milliseconds(trial.reopened),
            })
        });
        json!({
            "sessions": load.sessions,
            "bytes": load.bytes,
            "batch": load.batch,
            "stores": stores.collect::<Vec<_>>(),
            "write_behind": {
                "requests": behind.requests,
                "without_us": micros(behind.without),
                "with_us": micros(behind.with),
                "ratio": behind.ratio(),
            },
        })
    }
}

impl Serialize for StoreReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_json().serialize(serializer)
    }
}

impl BenchFindings for StoreReport {
    fn table(&self) -> Table {
        let Self { load, trials, behind } = self;
        let mut table = Table::new(["store", "saves/s", "medium/s", "of medium", "loads/s", "open + scan"]);
        for trial in trials {
            table.row([
                trial.name.to_owned(),
                format!("{:.0}", trial.saves_per_second),
                known(trial.medium_per_second, 0),
                known(trial.share(), 2),
                format!("{:.0}", trial.loads_per_second),
                format!("{:.0} ms", milliseconds(trial.reopened)),
            ]);
        }
        let StoreLoad { sessions, bytes, batch } = load;
        table.remark(format!(
            "{sessions} sessions of {bytes} bytes, saved {batch} at once; loaded one after the other"
        ));
        table.remark(format!(
            "write-behind: the middle one of {} requests takes {:.1} us without a store and {:.1} us with one, {:.2} times as long",
            behind.requests,
            micros(behind.without),
            micros(behind.with),
            behind.ratio()
        ));
        table
    }

    fn rows(&self) -> Vec<Row> {
        let stores = self.trials.iter().map(|trial| {
            let mut row = Row::new(trial.name);
            row.figure("saved", "sessions/s", trial.saves_per_second);
            row.figure("medium", "sessions/s", trial.medium_per_second);
            row.figure("of medium", "", trial.share());
            row.figure("loaded", "sessions/s", trial.loads_per_second);
            row.figure("open and scan", "ms", milliseconds(trial.reopened));
            row
        });
        let mut behind = Row::new("write-behind");
        behind.figure("request without a store p50", "us", micros(self.behind.without));
        behind.figure("request with a store p50", "us", micros(self.behind.with));
        behind.figure("with / without", "", self.behind.ratio());
        stores.chain([behind]).collect()
    }

    /// Stores are compared with the medium at the same moment, so the usage of other programs is not
    /// measured.
    fn circumstances(&self) -> Circumstances {
        Circumstances::default()
    }

    fn plots(&self) -> Vec<String> {
        let bars = |value: fn(&StoreTrial) -> f64| {
            self.trials.iter().map(|trial| (trial.name, value(trial))).collect::<Vec<_>>()
        };
        vec![
            plot::bars("saves", "sessions/s", &bars(|trial| trial.saves_per_second)),
            plot::bars("loads", "sessions/s", &bars(|trial| trial.loads_per_second)),
        ]
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
