//! `sessile store ls`.

use std::time::SystemTime;

use clap::Args;
use serde_json::json;
use sessile::store::{AppName, Key, Record, Scan, ScanPage, Store};

use super::damages::Damages;
use super::location::{IfMissing, failed};
use super::store_argument::StoreArgument;
use super::values;
use crate::failure::Failure;
use crate::output;

/// Which sessions to list.
#[derive(Debug, Args)]
pub(crate) struct Ls {
    #[command(flatten)]
    which: StoreArgument,
    /// Only sessions of this application
    #[arg(long, value_name = "APP", value_parser = parse_app)]
    app: Option<AppName>,
    /// Most sessions listed
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// Only sessions after this key: the next page
    #[arg(long, value_name = "KEY", value_parser = values::parse_key)]
    after: Option<Key>,
}

impl Ls {
    pub(crate) fn run(self) -> Result<(), Failure> {
        self.which.using(IfMissing::Refused, async |store, damages| self.list(store, damages).await)
    }

    async fn list(&self, store: &dyn Store, damages: &mut Damages) -> Result<(), Failure> {
        let mut left = self.limit as usize;
        let mut scan = Scan { after: self.after, app: self.app.clone(), limit: left };
        let mut heading = (!output::is_json()).then(heading);
        loop {
            let page = store.scan(scan.clone()).await.and_then(ScanPage::all_decrypted).map_err(failed)?;
            damages.add(page.damaged.len());
            let now = SystemTime::now();
            let row =
                |record: &Record| if output::is_json() { json_row(record, now) } else { row(record, now) };
            let lines: Vec<String> = heading.take().into_iter().chain(page.records.iter().map(row)).collect();
            if !lines.is_empty() {
                output::print_verbatim(&lines.join("\n"))?;
            }
            left = left.saturating_sub(page.records.len());
            let Some(next) = page.next else { return Ok(()) };
            if left == 0 {
                output::tell(&format!("there may be more: --after {}", values::shown_key(next)));
                return Ok(());
            }
            scan = Scan { after: Some(next), limit: left, ..scan };
        }
    }
}

pub(super) fn parse_app(name: &str) -> Result<AppName, String> {
    AppName::new(name).map_err(|error| error.to_string())
}

fn heading() -> String {
    format!("{:<22}  {:<20}  {:>9}  {:<20}  IDLE LEFT", "KEY", "APP", "BYTES", "SAVED AT")
}

fn row(record: &Record, now: SystemTime) -> String {
    let bytes = record.content().map_or("-".to_owned(), |content| content.len().to_string());
    let left = if record.is_ended() {
        "ended".to_owned()
    } else {
        values::shown_time(values::idle_left(&record.lifetime, now))
    };
    format!(
        "{:<22}  {:<20}  {bytes:>9}  {:<20}  {left}",
        values::shown_key(record.key),
        record.app.as_str(),
        values::shown_moment(record.lifetime.saved_at()),
    )
}

fn json_row(record: &Record, now: SystemTime) -> String {
    let left = values::idle_left(&record.lifetime, now);
    let row = json!({
        "key": values::shown_key(record.key),
        "app": record.app.as_str(),
        "ended": record.is_ended(),
        "bytes": record.content().map_or(0, |content| content.len()),
        "saved_at": values::shown_moment(record.lifetime.saved_at()),
        "idle_left_ms": u64::try_from(left.as_millis()).unwrap_or(u64::MAX),
    });
    row.to_string()
}
