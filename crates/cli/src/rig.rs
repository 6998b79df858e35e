//! Real nodes and a balancer on this machine, for the demo, its check and the bench.
//!
//! [`Plan`] says who listens where and with which settings; [`Stage`] starts the nodes and the balancer and ends them.
//! Each node runs `sessile serve` as a process of its own, so that nothing here is another way of running one. Must
//! not know what is done with them.

mod log_line;
mod node;
mod plan;
mod stage;

pub(crate) use log_line::{Level, LogLine};
pub(crate) use node::{News, NodeProcess};
pub(crate) use plan::{GROUP, GROUP_PORT, Membership, Plan, Settings};
pub(crate) use stage::{Stage, private_directory};
