//! Failures of verbs and their exit codes.

use std::process::ExitCode;

use serde_json::json;
use sessile::ConfigError;

use crate::{logging, output, report};

/// The reason for an exit code other than 0.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Exit code 1: the attempt failed. The text names the failure and the remedy.
    Failed(String),
    /// Exit code 2: the command line is invalid.
    Usage(String),
    /// Exit code 2: these configurations cannot be used.
    Configuration(Vec<ConfigError>),
    /// Exit code 3: stopped before everything had ended. The text names the remaining work.
    Unfinished(String),
    /// The background process ended with this code and has printed the reason.
    Told(u8),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code())
    }

    fn code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) | Self::Configuration(_) => 2,
            Self::Unfinished(_) => 3,
            Self::Told(code) => *code,
        }
    }

    /// Tells programs, where they read the log.
    pub(crate) fn log(&self) {
        if !logging::is_json() || output::is_json() {
            return;
        }
        match self {
            Self::Failed(message) | Self::Usage(message) | Self::Unfinished(message) => {
                tracing::error!("{message}")
            }
            Self::Configuration(errors) => errors.iter().for_each(report::error),
            Self::Told(_) => {}
        }
    }

    /// Prints the failure on standard error.
    pub(crate) fn show(&self) {
        if output::is_json() {
            return self.tell_json();
        }
        if logging::is_json() {
            // It stands in the log.
            return;
        }
        match self {
            Self::Failed(message) | Self::Usage(message) | Self::Unfinished(message) => {
                output::tell(&format!("error: {message}"));
            }
            Self::Configuration(errors) => errors.iter().for_each(report::error),
            Self::Told(_) => {}
        }
    }
}

impl Failure {
    /// One object: the words, the exit code and, of a configuration, each finding with its place.
    fn tell_json(&self) {
        if matches!(self, Self::Told(_)) {
            return;
        }
        let mut fields = json!({ "error": self.to_string(), "exit_code": self.code() });
        if let Self::Configuration(errors) = self {
            fields["findings"] = errors.iter().flat_map(report::as_json).collect();
        }
        output::tell_json(&fields);
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Failed(message) | Self::Usage(message) | Self::Unfinished(message) => f.write_str(message),
            Self::Configuration(errors) => errors.iter().try_for_each(|error| write!(f, "{error}")),
            Self::Told(code) => write!(f, "the process in the background ended with exit code {code}"),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Configuration(vec![error])
    }
}
