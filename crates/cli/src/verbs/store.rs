//! `sessile store ls|show|export|import|purge|migrate`: inspects and moves the sessions of a store.
//!
//! Next: `store/location.rs` parses and opens store locations; `store/exported_record.rs` is a session in
//! JSON Lines.

mod damages;
mod export;
mod exported_record;
mod import;
mod location;
mod ls;
mod migrate;
mod purge;
mod save_counts;
mod show;
mod store_argument;
mod values;

use clap::Subcommand;

use crate::failure::Failure;

/// What to do with a store.
#[derive(Debug, Subcommand)]
pub(crate) enum Store {
    /// List the sessions in a store, including ended ones
    Ls(ls::Ls),
    /// Show one session: its attributes, sizes and times
    Show(show::Show),
    /// Write all sessions as JSON Lines; the output contains the users' session data
    Export(export::Export),
    /// Save the sessions of an export; newer sessions in the store stay
    Import(import::Import),
    /// Remove expired records; without --yes only count them
    Purge(purge::Purge),
    /// Copy all sessions into another store, or onto itself with a new key
    Migrate(migrate::Migrate),
}

impl Store {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Ls(ls) => ls.run(),
            Self::Show(show) => show.run(),
            Self::Export(export) => export.run(),
            Self::Import(import) => import.run(),
            Self::Purge(purge) => purge.run(),
            Self::Migrate(migrate) => migrate.run(),
        }
    }
}
