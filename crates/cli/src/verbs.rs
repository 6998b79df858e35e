//! The verbs, one module each.

mod apps;
mod balance;
mod completions;
mod config;
mod doctor;
mod import_server_xml;
mod init;
mod man;
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
use crate::node_factory::NodeFactory;

/// The verbs of the program.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Start the sample: two nodes, the balancer on port 8080 and clusterapp
    Demo(demo::Demo),
    /// Write a cluster that is ready to run: two nodes, a balancer and the secret
    Init(init::Init),
    /// Load a cluster, inject faults, and count lost, doubled and resurrected data
    Drill(drill::Drill),
    /// Measure what replication costs
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Run the balancer in front of the nodes, or change the nodes of one that runs
    Balance(balance::Balance),
    /// Check configuration files, or show the effective configuration
    #[command(subcommand)]
    Config(config::Config),
    /// Name what is wrong between a node and the others, by trying it from here; exit code 1 if something is
    Doctor(doctor::Doctor),
    /// Translate the server.xml of a Tomcat into the configuration of a node
    ImportServerXml(import_server_xml::ImportServerXml),
    /// Create or rotate the secret of a cluster, or print the admin token derived from it
    #[command(subcommand)]
    Secret(secret::Secret),
    /// Run one node of a cluster
    Serve(serve::Serve),
    /// Inspect or move the sessions of a store; except for databases, no node may be using it
    #[command(subcommand)]
    Store(store::Store),
    /// Show the state of a running node and its cluster
    Status(status::Status),
    /// Show the most expensive attributes and routes of a running node
    Top(top::Top),
    /// Deploy an archive on every node of the farm: a WebAssembly component, or a zip with its manifest
    Deploy(apps::Deploy),
    /// Remove an application from every node of the farm
    Undeploy(apps::AppArgument),
    /// Deploy the previous application of a path again, on every node of the farm
    Rollback(apps::AppArgument),
    /// Show the applications of the farm and their nodes
    Apps(apps::Apps),
    /// Drain a running node and stop it; exit code 3 if work was left
    Stop(operate::Stop),
    /// Take a running node out of load balancing; it keeps serving and replicating
    Drain(operate::DrainOrResume),
    /// Return a drained node to load balancing
    Resume(operate::DrainOrResume),
    /// Switch route rewriting: whether a node writes its name into the cookies of clients that failed over to
    /// it
    Route(operate::Route),
    /// Compare a running node's sessions with every member, and repair differences
    Resync(operate::Resync),
    /// Print the completions of these commands for a shell
    Completions(completions::Completions),
    /// Write the manual pages of all commands into a directory
    Man(man::Man),
}

impl Verb {
    /// The default log filter; verbs with their own output log less.
    pub(crate) fn usual_log(&self) -> &'static str {
        match self {
            Self::Bench(_) | Self::Demo(_) | Self::Doctor(_) | Self::Drill(_) | Self::Store(_) => "error",
            Self::Balance(balance) => balance.usual_log(),
            _ => "info",
        }
    }

    pub(crate) fn run(self, factory: &impl NodeFactory) -> Result<(), Failure> {
        match self {
            Self::Demo(demo) => demo.run(),
            Self::Init(init) => init.run(),
            Self::Drill(drill) => drill.run(),
            Self::Bench(bench) => bench.run(),
            Self::Balance(balance) => balance.run(),
            Self::Config(config) => config.run(),
            Self::Doctor(doctor) => doctor.run(),
            Self::ImportServerXml(import) => import.run(),
            Self::Secret(secret) => secret.run(),
            Self::Serve(serve) => serve.run(factory),
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
            Self::Completions(completions) => completions.run(),
            Self::Man(man) => man.run(),
        }
    }
}
