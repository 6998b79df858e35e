//! `sessile bench`: what things cost, measured on this machine.

mod store;

use clap::Subcommand;

use crate::failure::Failure;

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Measure how fast stores save, load and open again, beside the medium that they write to
    Store(store::StoreBench),
}

impl Bench {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Store(bench) => bench.run(),
        }
    }
}
