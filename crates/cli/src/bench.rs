//! `sessile bench`: what replication costs, measured on real nodes.
//!
//! One part repeats the article: `visitor` is one client and `crowd` all of them; `verdict` knows what a right answer
//! is. `client` measures a server that runs, `article` starts nodes and repeats the article's scenarios. `samples`
//! holds times, `report` writes all of it down and `compare` reads it again.
//!
//! The other part loads nodes: `cluster` starts them, `crew` writes with `light_client`s, `latency` keeps what came
//! back and `timeline` when, `usage` and `traffic` know what it cost, `floor` measures what no program can beat; `manner`
//! and `telling` are what all measurements have in common. `load`, `lag`, `failover`,
//! `join`, `deploy`, `memory` and `scale` are measurements, `ratios` puts them together. `store` measures stores, `balance` balancers. `exposed` reads what nodes count for
//! both. Must not know how sessions travel.

mod answer;
mod article;
mod balance;
mod ballast;
mod client;
mod cluster;
mod compare;
mod crew;
mod crowd;
mod deploy;
mod exposed;
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
mod progress;
mod ratios;
mod report;
mod samples;
mod scale;
mod store;
mod syscalls;
mod table;
mod telling;
mod timeline;
mod traffic;
mod usage;
mod verdict;
mod visitor;
mod workload;

use clap::Subcommand;

use crate::failure::Failure;
use crate::runtime;

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Measure a server that keeps clusterapp's contract, with the article's arguments
    Client(client::Client),
    /// Repeat the article's seven scenarios on two nodes that are started for it
    Article(article::Article),
    /// Put two reports side by side
    Compare(compare::Compare),
    /// Requests a second and their latencies, closed loop or, with --rate, open loop
    Load(load::LoadBench),
    /// How long after a write the other node shows it
    Lag(lag::LagBench),
    /// What a node's end costs: acknowledged writes lost, time until the other one answers
    Failover(failover::FailoverBench),
    /// State transfer to a node that joins, and what clients feel of it
    Join(join::JoinBench),
    /// How long an archive takes until it runs on every node
    Deploy(deploy::DeployBench),
    /// Bytes of memory for each copy of a session
    Memory(memory::MemoryBench),
    /// Messages and bytes for each write with 2 to 8 nodes
    Scale(scale::ScaleBench),
    /// The costs of replication as ratios to the floors of this machine
    Ratios(ratios::RatiosBench),
    /// How fast stores save, load and open again, beside the medium that they write to
    Store(store::StoreBench),
    /// This balancer beside HAProxy and nginx, in one run
    Balance(balance::BalanceBench),
    /// A server behind the balancers that are measured
    #[command(hide = true)]
    BalanceServer(balance::BalanceServer),
    /// The other process of a floor
    #[command(hide = true)]
    FloorPeer(floor::FloorPeer),
}

impl Bench {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Client(client) => runtime::run(client.run()),
            Self::Article(article) => runtime::run(article.run()),
            Self::Compare(compare) => compare.run(),
            Self::Load(load) => runtime::run_on_one_thread(load.run()),
            Self::Lag(lag) => runtime::run_on_one_thread(lag.run()),
            Self::Failover(failover) => runtime::run_on_one_thread(failover.run()),
            Self::Join(join) => runtime::run_on_one_thread(join.run()),
            Self::Deploy(deploy) => runtime::run_on_one_thread(deploy.run()),
            Self::Memory(memory) => runtime::run_on_one_thread(memory.run()),
            Self::Scale(scale) => runtime::run_on_one_thread(scale.run()),
            Self::Ratios(ratios) => runtime::run_on_one_thread(ratios.run()),
            Self::Store(bench) => bench.run(),
            Self::Balance(bench) => bench.run(),
            Self::BalanceServer(server) => server.run(),
            Self::FloorPeer(peer) => peer.run(),
        }
    }
}
