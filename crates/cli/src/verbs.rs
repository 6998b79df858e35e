//! The verbs, one module each.

mod balance;
mod config;
mod secret;
mod serve;

use clap::Subcommand;

use crate::demo;
use crate::failure::Failure;

/// What the program is asked to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Start the sample: two nodes, the balancer on port 8080 and clusterapp
    Demo(demo::Demo),
    /// Run the balancer in front of the nodes, or change the nodes of one that runs
    Balance(balance::Balance),
    /// Check configuration files, or show what is in force
    #[command(subcommand)]
    Config(config::Config),
    /// Make the secret of a cluster, or show the admin token that follows from it
    #[command(subcommand)]
    Secret(secret::Secret),
    /// Run one node of a cluster
    Serve(serve::Serve),
}

impl Verb {
    /// What is logged when nobody says: the demo tells what happens in its own words.
    pub(crate) fn usual_log(&self) -> &'static str {
        match self {
            Self::Demo(_) => "error",
            Self::Balance(balance) => balance.usual_log(),
            _ => "info",
        }
    }

    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Demo(demo) => demo.run(),
            Self::Balance(balance) => balance.run(),
            Self::Config(config) => config.run(),
            Self::Secret(secret) => secret.run(),
            Self::Serve(serve) => serve.run(),
        }
    }
}
