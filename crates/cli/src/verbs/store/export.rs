//! `sessile store export`.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use sessile::store::{AppName, Scan, ScanPage, Store};

use super::damages::Damages;
use super::exported_record::ExportedRecord;
use super::location::{IfMissing, failed};
use super::ls::parse_app;
use super::store_argument::StoreArgument;
use crate::failure::Failure;
use crate::output;

/// Records of one page.
const PAGE: usize = 256;

/// What to export, and where to.
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    which: StoreArgument,
    /// Only the sessions of this application
    #[arg(long, value_name = "APP", value_parser = parse_app)]
    app: Option<AppName>,
    /// The file to create, readable by its owner only; left out, the lines go to standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Export {
    pub(crate) fn run(self) -> Result<(), Failure> {
        self.which.using(IfMissing::Refused, async |store, damages| {
            let mut to: Box<dyn Write> = match &self.output {
                Some(path) => Box::new(BufWriter::new(create(path)?)),
                None => Box::new(BufWriter::new(io::stdout())),
            };
            let exported = self.write(store, damages, &mut to).await?;
            output::tell(&format!("exported {exported} records"));
            Ok(())
        })
    }

    async fn write(
        &self,
        store: &dyn Store,
        damages: &mut Damages,
        to: &mut dyn Write,
    ) -> Result<u64, Failure> {
        let mut exported = 0;
        let mut scan = Scan { app: self.app.clone(), ..Scan::pages_of(PAGE) };
        loop {
            let page = store.scan(scan.clone()).await.and_then(ScanPage::all_decrypted).map_err(failed)?;
            damages.add(page.damaged.len());
            for record in &page.records {
                write_line(to, &ExportedRecord::of(record))
                    .map_err(|error| self.not_written(&error, exported))?;
                exported += 1;
            }
            scan.after = match page.next {
                Some(next) => Some(next),
                None => break,
            };
        }
        to.flush().map_err(|error| self.not_written(&error, exported))?;
        Ok(exported)
    }

    fn not_written(&self, error: &io::Error, exported: u64) -> Failure {
        let to = self.output.as_ref().map_or("standard output".to_owned(), |path| path.display().to_string());
        Failure::Failed(format!(
            "cannot write to {to} after {exported} records: {error}; the export is incomplete"
        ))
    }
}

fn write_line(to: &mut dyn Write, line: &ExportedRecord) -> io::Result<()> {
    serde_json::to_writer(&mut *to, line)?;
    to.write_all(b"\n")
}

fn create(path: &Path) -> Result<std::fs::File, Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| {
        let remedy = match error.kind() {
            ErrorKind::AlreadyExists => "; an export never overwrites: name another file, or remove this one",
            _ => "",
        };
        Failure::Failed(format!("{}: {error}{remedy}", path.display()))
    })
}
