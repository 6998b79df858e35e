//! The program `sessile`: its verbs, its messages and its exit codes. What the verbs do is in the other crates.
//!
//! It is a library, so that this project's test hosts can run the same node with parts of their own: [`Making`]. For
//! services of your own use the crate `sessile`. Next: `verbs/` has one module for each verb; `failure.rs` says which
//! exit code stands for what.

mod admin_client;
mod ajp;
mod applications;
mod balancer_file;
mod bench;
mod connection;
mod cores;
mod demo;
mod deploy_key;
mod drill;
mod failure;
mod farewell;
mod hangup;
mod logging;
mod making;
mod output;
mod port;
mod report;
mod rig;
mod runtime;
mod secret_file;
mod server;
mod signal;
mod stop;
mod verbs;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

pub use making::{AsConfigured, Making, Pages};

/// Sessions that stay when servers go.
#[derive(Debug, Parser)]
#[command(name = "sessile", version, propagate_version = true)]
struct Program {
    /// What is logged, as `level` or `target=level,…`; also SESSILE_LOG
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
    /// How the log is written
    #[arg(long, global = true, value_enum, default_value_t = logging::Format::Text, value_name = "FORMAT")]
    log_format: logging::Format,
    #[command(subcommand)]
    verb: verbs::Verb,
}

/// The program, with these words on its command line, the first of which is its name. Nodes are made as `making` says.
pub fn run(words: impl IntoIterator<Item = OsString>, making: &impl Making) -> ExitCode {
    // A wrong command line ends here, with exit code 2.
    let program = Program::parse_from(words);
    match logging::start(program.log, program.log_format, program.verb.usual_log())
        .and_then(|()| program.verb.run(making))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.show();
            failure.exit_code()
        }
    }
}
