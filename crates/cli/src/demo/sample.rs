//! Who listens where, and the configuration files that say so.

use std::fmt::Write;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use sessile_balancer::{BalanceConfig, BalancerConfig, NodeConfig};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// The multicast group and port of the article.
pub(super) const GROUP: Ipv4Addr = Ipv4Addr::new(228, 0, 0, 4);
pub(super) const GROUP_PORT: u16 = 45564;

/// The sample: two nodes and a balancer.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) nodes: [NodePlan; 2],
    pub(super) balancer: SocketAddr,
    pub(super) membership: Membership,
}

/// One node.
#[derive(Debug, Clone)]
pub(super) struct NodePlan {
    pub(super) name: &'static str,
    pub(super) http: SocketAddr,
    pub(super) replication: SocketAddr,
    pub(super) admin: SocketAddr,
}

/// How the nodes find each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Membership {
    Multicast,
    Static,
}

impl Sample {
    /// The ports of the article.
    pub(super) fn of_the_article(membership: Membership) -> Self {
        let node = |name, http, replication, admin| NodePlan {
            name,
            http: SocketAddr::new(LOCAL, http),
            replication: SocketAddr::new(LOCAL, replication),
            admin: SocketAddr::new(LOCAL, admin),
        };
        let nodes = [node("tc01", 9080, 4001, 9005), node("tc02", 10080, 4002, 10005)];
        Self { nodes, balancer: SocketAddr::new(LOCAL, 8080), membership }
    }

    /// Ports that are free now, found by a static list.
    pub(super) fn on_free_ports() -> io::Result<Self> {
        let host = own_host()?;
        // All are held until the last one is known: no two are the same.
        let probes = (0..7).map(|_| TcpListener::bind((host, 0))).collect::<io::Result<Vec<_>>>()?;
        let free = probes.iter().map(TcpListener::local_addr).collect::<io::Result<Vec<_>>>()?;
        let node = |name, first: usize| NodePlan {
            name,
            http: free[first],
            replication: free[first + 1],
            admin: free[first + 2],
        };
        let nodes = [node("tc01", 0), node("tc02", 3)];
        Ok(Self { nodes, balancer: free[6], membership: Membership::Static })
    }

    /// The node's file, whose neighbours on disk are the other node's and the secret.
    pub(super) fn configuration(&self, node: &NodePlan) -> String {
        let NodePlan { name, http, replication, admin } = node;
        let mut text = format!(
            "[node]\nname = \"{name}\"\ndrain_time = \"5s\"\n[http]\nlisten = \"{http}\"\n[admin]\nlisten = \
             \"{admin}\"\n[cluster]\nname = \"sample\"\nmanager = \"delta\"\nsecret_file = \
             \"cluster.secret\"\n[receiver]\nlisten = \"{replication}\"\n[sender]\nmode = \"pipelined\"\n[[app]]\n\
             path = \"/clusterapp\"\nbuiltin = \"clusterapp\"\ndiagnostics = true\n[membership]\n"
        );
        let members = self.nodes.each_ref().map(|node| format!("\"{}\"", node.replication)).join(", ");
        let written = match self.membership {
            Membership::Multicast => write!(
                text,
                "kind = \"multicast\"\naddress = \"{GROUP}\"\nport = {GROUP_PORT}\nbind = \"{LOCAL}\"\n"
            ),
            Membership::Static => write!(text, "kind = \"static\"\nmembers = [{members}]\n"),
        };
        written.expect("a text takes all that is written to it");
        text.push_str("frequency = \"500ms\"\ndrop_time = \"3s\"\n");
        text
    }

    /// What the balancer is told.
    pub(super) fn balancer_config(&self) -> BalancerConfig {
        let nodes = self.nodes.iter().map(|node| NodeConfig {
            name: node.name.to_owned(),
            address: node.http.to_string(),
            weight: 1,
            health: None,
        });
        BalancerConfig {
            balance: BalanceConfig { listen: self.balancer.to_string(), ..BalanceConfig::default() },
            nodes: nodes.collect(),
        }
    }
}

/// An address of this machine that nobody else uses, where the system has a whole loopback network: a port that is
/// free for a moment, while its node is dead, stays free there.
fn own_host() -> io::Result<IpAddr> {
    let [.., a, b, c] = getrandom::u32().map_err(io::Error::other)?.to_be_bytes();
    let own = IpAddr::from([127, a, b, c.clamp(1, 254)]);
    Ok(if TcpListener::bind((own, 0)).is_ok() { own } else { LOCAL })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configurations_are_accepted() {
        for sample in [
            Sample::of_the_article(Membership::Multicast),
            Sample::of_the_article(Membership::Static),
            Sample::on_free_ports().unwrap(),
        ] {
            assert_eq!(sample.balancer_config().validate(), Ok(()));
            for node in &sample.nodes {
                let text = sample.configuration(node);
                let (config, warnings) = sessile::Config::parse("tc01.toml", &text).expect(&text);
                assert_eq!(config.node.name, node.name);
                assert!(warnings.list.is_empty(), "{:?}", warnings.list);
            }
        }
    }
}
