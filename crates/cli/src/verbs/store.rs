//! `sessile store ls|show|export|import|purge|migrate`: what a store holds, for the people who run it.
//!
//! Next: `store/place.rs` says which stores can be named and opens them; `store/line.rs` is the form of a session in
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
    /// List the sessions that are in a store, ended ones too
    Ls(ls::Ls),
    /// Show one session: its attributes, sizes and times
    Show(show::Show),
    /// Write all sessions as JSON Lines; this contains what users have in their sessions
    Export(export::Export),
    /// Save the sessions of an export; what the store has newer stays
    Import(import::Import),
    /// Remove what nobody will ask for any more; without --yes it only says how much that is
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
