//! `sessile store purge`.

use std::time::SystemTime;

use clap::Args;
use serde_json::json;
use sessile::store::{Scan, ScanPage, Store};

use super::damages::Damages;
use super::location::{IfMissing, failed};
use super::store_argument::StoreArgument;
use super::values;
use crate::failure::Failure;
use crate::output;

/// Records of one page.
const PAGE: usize = 256;

/// What to purge.
#[derive(Debug, Args)]
pub(crate) struct Purge {
    #[command(flatten)]
    which: StoreArgument,
    /// Remove the records; without this they are only counted
    #[arg(long)]
    yes: bool,
}

impl Purge {
    pub(crate) fn run(self) -> Result<(), Failure> {
        self.which.using(IfMissing::Refused, async |store, damages| {
            let now = SystemTime::now();
            let clock = values::shown_moment(now);
            if self.yes {
                let purged = store.purge(now).await.map_err(failed)?;
                let words = format!("removed {purged} records that were garbage at {clock}");
                return output::result(&json!({ "removed": purged, "clock": clock.to_string() }), &words);
            }
            let (garbage, all) = count(store, now, damages).await?;
            let fields = json!({ "garbage": garbage, "records": all, "clock": clock.to_string() });
            output::result(
                &fields,
                &format!(
                    "{garbage} of {all} records are garbage at {clock} by this machine's clock; \
                 the same command with --yes removes them"
                ),
            )
        })
    }
}

/// Number of expired records, and of all records.
async fn count(store: &dyn Store, now: SystemTime, damages: &mut Damages) -> Result<(u64, u64), Failure> {
    let (mut garbage, mut all) = (0, 0);
    let mut scan = Scan::pages_of(PAGE);
    loop {
        let page = store.scan(scan.clone()).await.and_then(ScanPage::all_decrypted).map_err(failed)?;
        damages.add(page.damaged.len());
        all += page.records.len() as u64;
        garbage += page.records.iter().filter(|record| record.lifetime.garbage_after() < now).count() as u64;
        scan.after = match page.next {
            Some(next) => Some(next),
            None => return Ok((garbage, all)),
        };
    }
}
