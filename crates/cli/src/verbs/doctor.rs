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
}

impl Doctor {
    /// Exit code 1 if something is wrong.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let (config, warnings) = Config::check(&file_of(&self.node)?)?;
        report::findings(&warnings);
        let examined = runtime::run(async { Ok(examine(&config, &self.addresses).await) })?;
        let seen = examined.map_err(|error| Failure::Failed(error.to_string()))?;
        output::result(&json_of(&config, &seen), &words(&config, &seen))?;
        // What is wrong was printed.
        if seen.findings.is_empty() { Ok(()) } else { Err(Failure::Told(1)) }
    }
}

fn words(config: &Config, seen: &DoctorReport) -> String {
    let met = seen.met.iter().map(|(name, address)| format!("{name} answers at {address}\n"));
    let found = seen.findings.iter().map(|found| {
        format!("{}: {} [{}]\n  remedy: {}\n", found.subject, found.problem, found.cause, found.remedy)
    });
    let conclusion = match (seen.findings.len(), seen.met.len()) {
        (0, 0) => "nothing is wrong, and nobody else was found".to_owned(),
        (0, _) => "nothing is wrong".to_owned(),
        (1, _) => "1 finding".to_owned(),
        (count, _) => format!("{count} findings"),
    };
    met.chain(found).chain([format!("{}: {conclusion}", config.node.name)]).collect()
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
