//! The log: standard error, one line an event, for people or for programs.

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::failure::Failure;

/// Environment variable with the log filter, used if the command line has none.
const VARIABLE: &str = "SESSILE_LOG";

/// Format of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// Starts the log with the filter of the command line, else of the environment, else with `usual`.
pub(crate) fn start(filter: Option<String>, format: Format, usual: &str) -> Result<(), Failure> {
    let (source, filter) = match (filter, std::env::var(VARIABLE)) {
        (Some(filter), _) => ("--log", filter),
        (None, Ok(filter)) if !filter.is_empty() => (VARIABLE, filter),
        _ => ("", usual.to_owned()),
    };
    let filter = EnvFilter::builder().parse(&filter).map_err(|error| {
        let help = "write a level (error, warn, info, debug, trace) or target=level, separated by commas";
        Failure::Usage(format!("{source}: `{filter}` is not a log filter: {error}; {help}"))
    })?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .with_target(false);
    match format {
        Format::Text => log.init(),
        Format::Json => log.json().init(),
    }
    Ok(())
}
