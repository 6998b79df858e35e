//! `sessile demo`: the article's sample on one machine, with nodes that are real processes.
//!
//! The nodes and the balancer are a [`local_cluster`](crate::local_cluster); `show` is the interactive demo;
//! `check` plays it automatically and judges the result. Must not know how sessions are replicated.

mod check;
mod console;
mod events;
mod multicast;
mod paint;
mod ports;
mod show;
mod status;

use clap::Args;

use crate::failure::Failure;
use crate::runtime;
use crate::sample_ports::BASES;

/// Command line arguments of the demo.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Play the demo on free ports and judge it: a node is killed under load, and nothing may be lost
    #[arg(long)]
    check: bool,
    /// How often a node is killed
    #[arg(long, requires = "check", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// The seed of everything that is random in the check; left out, one is chosen and shown
    #[arg(long, requires = "check", value_name = "N")]
    seed: Option<u64>,
    /// The first of seven free ports for the demo: the balancer, then HTTP, replication and admin of each
    /// node. Without it, the ports of the article
    #[arg(long, value_name = "PORT", conflicts_with = "check", value_parser = clap::value_parser!(u16).range(BASES))]
    port_base: Option<u16>,
}

impl Demo {
    pub(crate) fn run(self) -> Result<(), Failure> {
        if self.check {
            runtime::run(check::run(self.rounds, self.seed))
        } else {
            runtime::run(show::run(self.port_base))
        }
    }
}
