//! Checks that the sample's ports are free before any process starts.

use std::net::{SocketAddr, TcpListener};

use crate::failure::Failure;
use crate::local_cluster::ClusterPlan;

/// Fails at the first port that cannot be opened.
pub(super) fn check(plan: &ClusterPlan) -> Result<(), Failure> {
    let nodes = plan.nodes.iter().flat_map(|node| {
        [
            (node.http, format!("{} for HTTP", node.name)),
            (node.replication, format!("{} for replication", node.name)),
            (node.admin, format!("{} for its admin port", node.name)),
        ]
    });
    let balancer = (plan.balancer, "the balancer".to_owned());
    std::iter::once(balancer).chain(nodes).try_for_each(|(port, wanted_by)| is_free(port, &wanted_by))
}

fn is_free(port: SocketAddr, wanted_by: &str) -> Result<(), Failure> {
    let Err(cause) = TcpListener::bind(port) else { return Ok(()) };
    Err(Failure::Failed(format!(
        "port {port} is wanted by {wanted_by}, but cannot be opened: {cause}; stop the program that has it (it may \
         be another demo), or choose other ports: sessile demo --port-base 18080; `sessile demo --check` takes free ones"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local_cluster::ClusterSettings;

    #[test]
    fn a_taken_port_is_named_with_its_user() {
        let plan = ClusterPlan::on_free_ports(2, ClusterSettings::default()).unwrap();
        assert!(check(&plan).is_ok());
        let taken = plan.nodes[1].replication;
        let _holder = TcpListener::bind(taken).unwrap();
        let Err(Failure::Failed(message)) = check(&plan) else { panic!("the port is taken") };
        for part in [&taken.to_string(), "tc02 for replication", "stop the program"] {
            assert!(message.contains(part), "{message}");
        }
    }
}
