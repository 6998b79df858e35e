//! `sessile bench`: what replication costs, measured on real nodes.
//!
//! Modules that repeat the article: `load_client` is one client, `measuring_clients` is the group of all
//! clients, `verdict` judges answers. `client` measures a server that runs, `article` starts nodes and
//! repeats the article's scenarios. `samples` holds times, `report` writes a report and `compare` reads two
//! of them.
//!
//! Modules that load nodes: `cluster` starts nodes, `client_pool` writes with `light_client`s, `latency`
//! keeps latencies, `timeline` keeps the moments of answers, `usage` and `traffic` read the cost, `floor`
//! measures the lower bound of the machine. All measurements share `run_settings` and `output_options`.
//! `load`, `lag`, `failover`, `join`, `deploy`, `idle`, `memory` and `scale` are measurements, `ratios` puts
//! them together. `store` measures stores, `balance` balancers. `exposed` reads the metrics of nodes for both
//! parts. Must not know how sessions are replicated.

mod archive_payload;
mod article;
mod balance;
mod client;
mod client_pool;
mod cluster;
mod clusterapp_response;
mod compare;
mod deploy;
mod exposed;
mod failover;
mod floor;
mod grade;
mod idle;
mod interrupt;
mod join;
mod lag;
mod latency;
mod light_client;
mod load;
mod load_client;
mod measuring_clients;
mod memory;
mod output_options;
mod peer_process;
mod progress;
mod ratios;
mod report;
mod run_settings;
mod samples;
mod scale;
mod store;
mod syscalls;
mod table;
mod timeline;
mod traffic;
mod usage;
mod verdict;
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
    /// Time from a write until the other node shows it
    Lag(lag::LagBench),
    /// Cost of a node failure: acknowledged writes lost, time until the other node answers
    Failover(failover::FailoverBench),
    /// State transfer to a joining node, and its effect on client latency
    Join(join::JoinBench),
    /// Time until a deployed archive runs on every node
    Deploy(deploy::DeployBench),
    /// Bytes of memory for each copy of a session
    Memory(memory::MemoryBench),
    /// Processor time and memory of up to 64 idle nodes that started at once
    Idle(idle::IdleBench),
    /// Messages and bytes for each write with 2 to 8 nodes
    Scale(scale::ScaleBench),
    /// The costs of replication as ratios to the floors of this machine
    Ratios(ratios::RatiosBench),
    /// Speed of stores (save, load, reopen) against the raw speed of their medium
    Store(store::StoreBench),
    /// This balancer beside HAProxy and nginx, in one run
    Balance(balance::BalanceBench),
    /// A server behind the balancers that are measured
    #[command(hide = true)]
    BalanceServer(balance::BalanceServer),
    /// The peer process of a floor measurement
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
            Self::Idle(idle) => runtime::run_on_one_thread(idle.run()),
            Self::Scale(scale) => runtime::run_on_one_thread(scale.run()),
            Self::Ratios(ratios) => runtime::run_on_one_thread(ratios.run()),
            Self::Store(bench) => bench.run(),
            Self::Balance(bench) => bench.run(),
            Self::BalanceServer(server) => server.run(),
            Self::FloorPeer(peer) => peer.run(),
        }
    }
}
