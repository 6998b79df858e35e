//! `sessile bench`: what replication costs here, measured on real nodes that it starts itself, beside the floors of
//! this machine.
//!
//! `cluster` starts the nodes, `crew` loads them, `latency` keeps what came back, `usage` knows what it cost, `floor`
//! measures what no program can beat. Each measurement has a file; `ratios` puts them together. Nothing here is a
//! second way to run a node or to replicate.

mod cluster;
mod crew;
mod failover;
mod floor;
mod grade;
mod halt;
mod join;
mod lag;
mod latency;
mod light_client;
mod load;

mod manner;
mod memory;
mod metrics;
mod ratios;
mod report;
mod samples;
mod scale;
mod table;
mod usage;

use clap::Subcommand;

use crate::failure::Failure;
use crate::runtime;

/// What is measured.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Requests a second and their latencies, closed loop or, with --rate, open loop
    Load(load::LoadBench),
    /// How long after a write the other node shows it
    Lag(lag::LagBench),
    /// What a node's end costs: acknowledged writes lost, time until the other one answers
    Failover(failover::FailoverBench),
    /// State transfer to a node that joins, and what clients feel of it
    Join(join::JoinBench),
    /// Bytes of memory for each copy of a session
    Memory(memory::MemoryBench),
    /// Messages and bytes for each write with 2 to 8 nodes
    Scale(scale::ScaleBench),
    /// The costs of replication as ratios to the floors of this machine
    Ratios(ratios::RatiosBench),
    /// The other process of a floor
    #[command(hide = true)]
    FloorPeer(floor::FloorPeer),
}

impl Bench {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Load(bench) => runtime::run_on_one_thread(bench.run()),
            Self::Lag(bench) => runtime::run_on_one_thread(bench.run()),
            Self::Failover(bench) => runtime::run_on_one_thread(bench.run()),
            Self::Join(bench) => runtime::run_on_one_thread(bench.run()),
            Self::Memory(bench) => runtime::run_on_one_thread(bench.run()),
            Self::Scale(bench) => runtime::run_on_one_thread(bench.run()),
            Self::Ratios(bench) => runtime::run_on_one_thread(bench.run()),
            Self::FloorPeer(peer) => peer.run(),
        }
    }
}
