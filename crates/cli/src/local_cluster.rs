//! Real nodes and a balancer on this machine, for the demo, its check and the bench.
//!
//! [`ClusterPlan`] says who listens where and with which settings; [`LocalCluster`] starts the nodes and the balancer and ends them.
//! Each node runs `sessile serve` as a process of its own, so that nothing here is another way of running one. Must
//! not know what is done with them.

mod log_line;
mod node;
mod plan;
mod running;

pub(crate) use log_line::{Level, LogLine};
pub(crate) use node::{NodeEvent, NodeProcess};
pub(crate) use plan::{ClusterPlan, ClusterSettings, Discovery, GROUP, GROUP_PORT};
pub(crate) use running::{LocalCluster, private_directory};
