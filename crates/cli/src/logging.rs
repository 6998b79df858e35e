//! The log: standard error, one line an event, for people or for programs.
//!
//! A log that cannot be written costs its lines and nothing else. A thread of its own writes them from a
//! bounded queue, so that neither a full disk nor a pipe that nobody reads can end or stop a node; what is
//! lost is counted.

mod lossy;
mod lost_lines;

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::failure::Failure;
pub(crate) use lossy::Log;
pub(crate) use lossy::lines_lost;
pub(crate) use lost_lines::report_to;

/// Environment variable with the log filter, used if the command line has none.
const VARIABLE: &str = "SESSILE_LOG";

/// Programs read the log.
static IS_JSON: AtomicBool = AtomicBool::new(false);

/// Format of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// Starts the log with the filter of the command line, else of the environment, else with `usual`. Dropping
/// the result writes what is still queued.
pub(crate) fn start(filter: Option<String>, format: Format, usual: &str) -> Result<Log, Failure> {
    let (source, filter) = match (filter, std::env::var(VARIABLE)) {
        (Some(filter), _) => ("--log", filter),
        (None, Ok(filter)) if !filter.is_empty() => (VARIABLE, filter),
        _ => ("", usual.to_owned()),
    };
    let filter = EnvFilter::builder().parse(&filter).map_err(|error| {
        let help = "write a level (error, warn, info, debug, trace) or target=level, separated by commas";
        Failure::Usage(format!("{source}: `{filter}` is not a log filter: {error}; {help}"))
    })?;
    let (log, lines) = Log::to(io::stderr());
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(lines)
        .with_ansi(io::stderr().is_terminal())
        // Its own report of a failed write would go to standard error, and panic there.
        .log_internal_errors(false)
        .with_target(false);
    IS_JSON.store(format == Format::Json, Relaxed);
    match format {
        Format::Text => subscriber.init(),
        Format::Json => subscriber.json().init(),
    }
    Ok(log)
}

/// Whether every line on standard error has to be a JSON object, and errors are among them.
pub(crate) fn is_json() -> bool {
    IS_JSON.load(Relaxed) && tracing::enabled!(tracing::Level::ERROR)
}
