//! The program `sessile`: its verbs, its messages and its exit codes. The other crates implement what the
//! verbs do.
//!
//! It is a library, so that this project's test hosts can run the same node with their own parts:
//! [`NodeFactory`]. For your own services use the crate `sessile`. Next: `verbs/` has one module for each
//! verb; `failure.rs` defines the exit codes.

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
mod sample_ports;
mod secret_file;
mod server;
mod session_key;
mod signal;
mod stop;
mod verbs;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use failure::Failure;
pub use node_factory::{AsConfigured, ExtraPages, NodeFactory};

/// Heading of the options that every command has.
const COMMON: &str = "Options of every command";

/// Sessions that stay when servers go.
#[derive(Debug, Parser)]
#[command(name = "sessile", version, propagate_version = true)]
struct Program {
    /// What is logged, as `level` or `target=level,…`; also SESSILE_LOG
    #[arg(long, global = true, value_name = "FILTER", help_heading = COMMON)]
    log: Option<String>,
    /// How the log is written
    #[arg(long, global = true, value_enum, default_value_t = logging::Format::Text, value_name = "FORMAT", help_heading = COMMON)]
    log_format: logging::Format,
    /// Write results, messages and errors as JSON
    #[arg(long, global = true, help_heading = COMMON)]
    json: bool,
    #[command(subcommand)]
    verb: verbs::Verb,
}

/// The description of the whole command line, from which parsing, help, completions and manual pages come.
fn command() -> clap::Command {
    Program::command()
}

/// Runs the program with this command line; its first word is the program's name. `factory` creates the node
/// of `serve`.
pub fn run(words: impl IntoIterator<Item = OsString>, factory: &impl NodeFactory) -> ExitCode {
    let words: Vec<OsString> = session_key::shielded(words).collect();
    let program = match Program::try_parse_from(&words) {
        Ok(program) => program,
        Err(other) => return without_verb(&other, words.iter().any(|word| word == "--json")),
    };
    core_dumps::forbid();
    if program.json {
        output::be_json();
    }
    let format = if program.json { logging::Format::Json } else { program.log_format };
    let done = match logging::start(program.log, format, program.verb.usual_log()) {
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

/// Ends with the help or the version that was asked for, or with why the command line cannot be used.
fn without_verb(other: &clap::Error, is_json: bool) -> ExitCode {
    if !is_json || !other.use_stderr() {
        other.exit();
    }
    output::be_json();
    let words = other.render().to_string();
    let failure = Failure::Usage(words.trim_start_matches("error: ").trim_end().to_owned());
    failure.show();
    failure.exit_code()
}

#[cfg(test)]
mod cli_reference;
