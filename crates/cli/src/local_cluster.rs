//! Real nodes and a balancer on this machine, for the demo, its check and the bench.
//!
//! [`ClusterPlan`] holds addresses and settings; [`LocalCluster`] starts and stops the nodes and the
//! balancer. Each node is a process of `sessile serve`, exactly as users run it. Must not know what its
//! callers do with the nodes.

mod log_line;
mod node;
mod plan;
mod running;

pub(crate) use log_line::{Level, LogLine};
pub(crate) use node::{NodeEvent, NodeProcess};
pub(crate) use plan::{ClusterPlan, ClusterSettings, Discovery, GROUP, GROUP_PORT, NodePlan};
pub(crate) use running::{LocalCluster, private_directory};
