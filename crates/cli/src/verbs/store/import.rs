//! `sessile store import`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use sessile::store::{Record, Store};

use super::exported_record::ExportedRecord;
use super::location::IfMissing;
use super::save_counts::SaveCounts;
use super::store_argument::StoreArgument;
use crate::failure::Failure;

/// Most records of one save.
const BATCH: usize = 256;
/// Most bytes of one save.
const BATCH_BYTES: usize = 8 << 20;
/// Longest line: the longest content in base64, plus room for the readable attributes.
const LINE_BYTES: u64 = 10 * Record::CONTENT_LIMIT as u64;

/// What to import.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file that `export` wrote; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    which: StoreArgument,
}

impl Import {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut lines = open(&self.file)?;
        self.which.using(IfMissing::Made, async |store, _| self.read_all(&mut *lines, store).await)
    }

    async fn read_all(&self, lines: &mut dyn BufRead, store: &dyn Store) -> Result<(), Failure> {
        let mut counts = SaveCounts::default();
        let (mut batch, mut bytes) = (Vec::new(), 0);
        let mut text = Vec::new();
        for number in 1_u64.. {
            text.clear();
            let read = lines.take(LINE_BYTES).read_until(b'\n', &mut text);
            if read.map_err(|error| self.unreadable(&error))? == 0 {
                break;
            }
            match record(&text) {
                Ok(None) => {}
                Ok(Some(record)) => {
                    bytes += record.content().map_or(0, |content| content.len());
                    batch.push(record);
                }
                Err(why) => counts.refuse(&format!("{}, line {number}: {why}", self.file.display())),
            }
            if batch.len() >= BATCH || bytes >= BATCH_BYTES {
                counts.save(store, std::mem::take(&mut batch)).await?;
                bytes = 0;
            }
        }
        counts.save(store, batch).await?;
        counts.conclude()
    }

    fn unreadable(&self, error: &io::Error) -> Failure {
        Failure::Failed(format!("{}: {error}", self.file.display()))
    }
}

/// The record of a line; `None` if the line is empty.
fn record(line: &[u8]) -> Result<Option<Record>, String> {
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    let line: ExportedRecord = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    line.record().map(Some)
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path).map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?;
    Ok(Box::new(BufReader::new(file)))
}
