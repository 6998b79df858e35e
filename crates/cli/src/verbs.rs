//! The verbs, one module each.

mod apps;
mod balance;
mod config;
mod import_server_xml;
mod operate;
mod rotate;
mod secret;
mod serve;
mod status;
mod store;
mod top;

use clap::Subcommand;

use crate::bench;
use crate::demo;
use crate::drill;
use crate::failure::Failure;
use crate::making::Making;

/// What the program is asked to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Start the sample: two nodes, the balancer on port 8080 and clusterapp
    Demo(demo::Demo),
    /// Load a cluster, disturb it, and count what was lost, doubled or resurrected
    Drill(drill::Drill),
    /// Measure what replication costs
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Run the balancer in front of the nodes, or change the nodes of one that runs
    Balance(balance::Balance),
    /// Check configuration files, or show what is in force
    #[command(subcommand)]
    Config(config::Config),
    /// Translate the server.xml of a Tomcat into the configuration of a node
    ImportServerXml(import_server_xml::ImportServerXml),
    /// Make or exchange the secret of a cluster, or show the admin token that follows from it
    #[command(subcommand)]
    Secret(secret::Secret),
    /// Run one node of a cluster
    Serve(serve::Serve),
    /// Look into a store of sessions, and move what is in it; no node may be using it, unless it is a database
    #[command(subcommand)]
    Store(store::Store),
    /// Show how a running node and its cluster are
    Status(status::Status),
    /// Show which attributes and routes cost a running node the most
    Top(top::Top),
    /// Deploy an archive on every node of the farm: a WebAssembly component, or a zip with its manifest
    Deploy(apps::Deploy),
    /// Remove an application from every node of the farm
    Undeploy(apps::At),
    /// Deploy again, on every node of the farm, what ran at a path before
    Rollback(apps::At),
    /// Show what the farm runs, and on which nodes
    Apps(apps::Apps),
    /// Drain a running node and stop it; exit code 3 when something was left
    Stop(operate::Stop),
    /// Let balancers not choose a running node any more; it goes on serving and replicating
    Drain(operate::Offer),
    /// Let balancers choose a drained node again
    Resume(operate::Offer),
    /// Switch whether a running node writes its name into the cookies of clients that failed over to it
    Route(operate::Route),
    /// Let a running node compare its sessions with every member, and repair what differs
    Resync(operate::Resync),
}

impl Verb {
    /// What is logged when nobody says: some verbs tell what happens in their own words.
    pub(crate) fn usual_log(&self) -> &'static str {
        match self {
            Self::Bench(_) | Self::Demo(_) | Self::Drill(_) | Self::Store(_) => "error",
            Self::Balance(balance) => balance.usual_log(),
            _ => "info",
        }
    }

    pub(crate) fn run(self, making: &impl Making) -> Result<(), Failure> {
        match self {
            Self::Demo(demo) => demo.run(),
            Self::Drill(drill) => drill.run(),
            Self::Bench(bench) => bench.run(),
            Self::Balance(balance) => balance.run(),
            Self::Config(config) => config.run(),
            Self::ImportServerXml(import) => import.run(),
            Self::Secret(secret) => secret.run(),
            Self::Serve(serve) => serve.run(making),
            Self::Status(status) => status.run(),
            Self::Store(store) => store.run(),
            Self::Top(top) => top.run(),
            Self::Deploy(deploy) => deploy.run(),
            Self::Undeploy(at) => at.undeploy(),
            Self::Rollback(at) => at.roll_back(),
            Self::Apps(apps) => apps.run(),
            Self::Stop(stop) => stop.run(),
            Self::Drain(offer) => offer.drain(),
            Self::Resume(offer) => offer.resume(),
            Self::Route(route) => route.run(),
            Self::Resync(resync) => resync.run(),
        }
    }
}
