//! `sessile config check|show|schema|reference`: works on configuration files without starting a node.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::json;
use sessile::ConfigError;

use crate::failure::Failure;
use crate::{applications, balancer_file, https, output, report};

/// What to do with configuration files.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Check files; every error is shown with its line, and the exit code is then 2
    Check {
        /// The files, of nodes and balancers
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Print every key with its effective value and its meaning
    Show {
        /// The file; without it, the defaults are shown
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Print the JSON schema of a node's file, for editors
    Schema,
    /// Print every key with its values, default and meaning, as Markdown
    Reference,
}

impl Config {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Check { files } => check(files),
            Self::Schema => output::print_verbatim(&sessile::config::json_schema()),
            Self::Reference => output::print(sessile::config::reference().trim_start()),
            Self::Show { file: None } => show(&sessile::Config::default().effective_toml()),
            Self::Show { file: Some(file) } => show(&effective(&file)?),
        }
    }
}

fn check(files: Vec<PathBuf>) -> Result<(), Failure> {
    let mut errors = Vec::new();
    for file in files {
        match effective(&file) {
            Ok(_) => {
                output::result(&json!({ "file": file, "ok": true }), &format!("{}: ok", file.display()))?
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(Failure::Configuration(errors)) }
}

/// The keys without their meanings, for programs.
fn show(toml: &str) -> Result<(), Failure> {
    let tables = toml.parse::<toml::Table>().map(|tables| json!(tables)).unwrap_or_default();
    output::result(&tables, toml)
}

/// The effective configuration of a node or balancer started with `file`. Prints warnings.
fn effective(file: &Path) -> Result<String, ConfigError> {
    if balancer_file::is_one(file) {
        let config = balancer_file::read(file)?;
        https::check(file, &balancer_file::load(file)?.balance.tls, "balance.tls")?;
        return Ok(balancer_file::effective_toml(&config));
    }
    let (config, warnings) = sessile::Config::check(file)?;
    report::findings(&warnings);
    https::check(file, &config.http.tls, "http.tls")?;
    applications::check(file, &config)?;
    Ok(config.effective_toml())
}
