//! `sessile completions`: what a shell offers when the user presses the tab key.

use clap::Args;
use clap_complete::Shell;

use crate::failure::Failure;
use crate::{command, output};

/// Which shell.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command(), "sessile", &mut script);
        output::print(&String::from_utf8_lossy(&script))
    }
}
