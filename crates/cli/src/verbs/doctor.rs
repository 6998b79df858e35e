//! `sessile doctor`: names what is wrong between a node and the others.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use sessile::Config;
use sessile::config::HostPort;
use sessile::doctor::{DoctorReport, examine};

use crate::admin_client::file_of;
use crate::failure::Failure;
use crate::{output, report, runtime};

/// The node whose place is taken, and what to try beside its configuration.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The configuration of the node, or its name where NAME.toml is in this directory
    #[arg(value_name = "NODE")]
    node: PathBuf,
    /// Replication addresses of other nodes, beside those that the membership names
    #[arg(value_name = "HOST:PORT")]
    addresses: Vec<HostPort>,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

impl Doctor {
    /// Exit code 1 if something is wrong.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let (config, warnings) = Config::check(&file_of(&self.node)?)?;
        if !self.json {
            report::findings(&warnings);
        }
        let examined = runtime::run(async { Ok(examine(&config, &self.addresses).await) })?;
        let seen = examined.map_err(|error| Failure::Failed(error.to_string()))?;
        if self.json {
            output::print(&json_of(&config, &seen).to_string())?;
        } else {
            print(&config, &seen)?;
        }
        // What is wrong was printed.
        if seen.findings.is_empty() { Ok(()) } else { Err(Failure::Told(1)) }
    }
}

fn print(config: &Config, seen: &DoctorReport) -> Result<(), Failure> {
    for (name, address) in &seen.met {
        output::print(&format!("{name} answers at {address}"))?;
    }
    for found in &seen.findings {
        output::print(&format!(
            "{}: {} [{}]\n  remedy: {}",
            found.subject, found.problem, found.cause, found.remedy
        ))?;
    }
    let name = &config.node.name;
    match (seen.findings.len(), seen.met.len()) {
        (0, 0) => output::print(&format!("{name}: nothing is wrong, and nobody else was found")),
        (0, _) => output::print(&format!("{name}: nothing is wrong")),
        (count, _) => output::print(&format!("{name}: {count} findings")),
    }
}

fn json_of(config: &Config, seen: &DoctorReport) -> Value {
    let met = seen.met.iter().map(|(name, address)| json!({ "name": name, "address": address.to_string() }));
    let findings = seen.findings.iter().map(|found| {
        json!({
            "cause": found.cause, "subject": found.subject, "problem": found.problem, "remedy": found.remedy,
        })
    });
    json!({
        "node": config.node.name,
        "cluster": config.cluster.name,
        "met": met.collect::<Vec<_>>(),
        "findings": findings.collect::<Vec<_>>(),
    })
}
