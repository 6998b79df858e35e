//! The verbs, one module each.

mod config;

use clap::Subcommand;

use crate::failure::Failure;

/// What the program is asked to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Check configuration files, or show what is in force
    #[command(subcommand)]
    Config(config::Config),
}

impl Verb {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Config(config) => config.run(),
        }
    }
}
