//! `sessile man`: the manual pages, made from the command line's own description.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::failure::Failure;
use crate::{command, output};

/// Where to write.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The directory, such as /usr/local/share/man/man1; it is created if it is missing
    #[arg(value_name = "DIRECTORY")]
    directory: PathBuf,
}

impl Man {
    /// One page for each command; pages that are there are written anew.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let place = self.directory.display();
        let failed = |error: std::io::Error| {
            Failure::Failed(format!("{place}: {error}; name a directory that you may write to"))
        };
        std::fs::create_dir_all(&self.directory).map_err(failed)?;
        // The version stands in the heading of each page; in their names it would be new with every release.
        clap_mangen::generate_to(command(), &self.directory).map_err(failed)?;
        let words = format!(
            "{place}: wrote sessile.1 and a page for each command; read it with: man {place}/sessile.1"
        );
        output::result(&json!({ "directory": self.directory }), &words)
    }
}
