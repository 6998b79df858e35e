//! The program `sessile`, which is all in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    sessile_cli::run(std::env::args_os(), &sessile_cli::AsConfigured)
}
