//! The program `sessile`: its verbs, its messages and its exit codes. The other crates implement what the verbs do.
//!
//! It is a library, so that this project's test hosts can run the same node with their own parts: [`NodeFactory`].
//! For your own services use the crate `sessile`. Next: `verbs/` has one module for each verb; `failure.rs` defines
//! the exit codes.

mod admin_client;
mod admin_connection;
#[cfg(unix)]
mod admin_socket;
#[cfg(not(unix))]
#[path = "admin_socket/absent.rs"]
mod admin_socket;
mod admin_target;
mod ajp;
mod applications;
mod balancer_file;
mod bench;
mod connection;
mod connection_report;
mod core_dumps;
mod cores;
mod demo;
mod deploy_key;
mod descriptors;
mod drill;
mod failure;
mod graceful_shutdown;
mod hangup;
mod https;
mod local_cluster;
mod logging;
mod node_factory;
mod output;
mod port;
mod report;
mod runtime;
mod secret_file;
mod server;
mod session_key;
mod signal;
mod stop;
mod verbs;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use failure::Failure;
pub use node_factory::{AsConfigured, ExtraPages, NodeFactory};

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

/// Runs the program with this command line; its first word is the program's name. `factory` creates the node of
/// `serve`.
pub fn run(words: impl IntoIterator<Item = OsString>, factory: &impl NodeFactory) -> ExitCode {
    // A wrong command line ends here, with exit code 2.
    let program = Program::parse_from(session_key::shielded(words));
    core_dumps::forbid();
    let done = match logging::start(program.log, program.log_format, program.verb.usual_log()) {
        // The log is written to its end before the failure is shown.
        Ok(_log) => program.verb.run(factory).inspect_err(Failure::log),
        Err(failure) => Err(failure),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.show();
            failure.exit_code()
        }
    }
}
