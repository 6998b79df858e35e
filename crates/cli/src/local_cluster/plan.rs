//! Addresses of all processes, and the nodes' configuration files.

use std::fmt::Write;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use sessile_balancer::{BackendConfig, BalanceConfig, BalancerConfig};

use crate::sample_ports::{self, NodePorts, SamplePorts};

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// The multicast group and port of the article.
pub(crate) const GROUP: Ipv4Addr = Ipv4Addr::new(228, 0, 0, 4);
pub(crate) const GROUP_PORT: u16 = 45564;

/// Node names, in order; a plan has at most this many nodes.
const NAMES: [&str; 64] = [
    "tc01", "tc02", "tc03", "tc04", "tc05", "tc06", "tc07", "tc08", "tc09", "tc10", "tc11", "tc12", "tc13",
    "tc14", "tc15", "tc16", "tc17", "tc18", "tc19", "tc20", "tc21", "tc22", "tc23", "tc24", "tc25", "tc26",
    "tc27", "tc28", "tc29", "tc30", "tc31", "tc32", "tc33", "tc34", "tc35", "tc36", "tc37", "tc38", "tc39",
    "tc40", "tc41", "tc42", "tc43", "tc44", "tc45", "tc46", "tc47", "tc48", "tc49", "tc50", "tc51", "tc52",
    "tc53", "tc54", "tc55", "tc56", "tc57", "tc58", "tc59", "tc60", "tc61", "tc62", "tc63", "tc64",
];
/// Ports of one node.
const PORTS: usize = 3;

/// A plan of nodes and a balancer.
#[derive(Debug, Clone)]
pub(crate) struct ClusterPlan {
    pub(crate) nodes: Vec<NodePlan>,
    pub(crate) balancer: SocketAddr,
    pub(crate) membership: Discovery,
    pub(crate) settings: ClusterSettings,
}

/// One node.
#[derive(Debug, Clone)]
pub(crate) struct NodePlan {
    pub(crate) name: &'static str,
    pub(crate) http: SocketAddr,
    pub(crate) replication: SocketAddr,
    pub(crate) admin: SocketAddr,
}

/// How the nodes find each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Discovery {
    Multicast,
    Static,
    /// By gossip; the first two nodes are the seeds.
    Swim,
}

/// Settings common to all nodes of a plan, as configuration values.
#[derive(Debug, Clone)]
pub(crate) struct ClusterSettings {
    /// `[cluster] manager`.
    pub(crate) manager: &'static str,
    /// `[sender] mode`.
    pub(crate) mode: &'static str,
    /// `[membership] drop_time`.
    pub(crate) drop_time: &'static str,
    /// Further tables, verbatim.
    pub(crate) more: String,
}

/// Settings of the demo.
impl Default for ClusterSettings {
    fn default() -> Self {
        Self { manager: "delta", mode: "pipelined", drop_time: "3s", more: String::new() }
    }
}

impl ClusterPlan {
    /// The two nodes of the sample.
    pub(crate) fn of_the_sample(ports: SamplePorts, membership: Discovery) -> Self {
        let node = |(name, ports): (&&'static str, NodePorts)| NodePlan {
            name,
            http: ports.http,
            replication: ports.receiver,
            admin: ports.admin,
        };
        let nodes = sample_ports::NAMES.iter().zip(ports.nodes).map(node).collect();
        Self { nodes, balancer: ports.balancer, membership, settings: ClusterSettings::default() }
    }

    /// Up to 64 nodes on free ports, with a static member list.
    pub(crate) fn on_free_ports(nodes: usize, settings: ClusterSettings) -> io::Result<Self> {
        let (host, names) = (own_host()?, NAMES.iter().take(nodes));
        // All sockets stay bound until the last port is known, so no two are equal.
        let probes =
            (0..=PORTS * nodes).map(|_| TcpListener::bind((host, 0))).collect::<io::Result<Vec<_>>>()?;
        let free = probes.iter().map(TcpListener::local_addr).collect::<io::Result<Vec<_>>>()?;
        let node = |(name, ports): (&&'static str, &[SocketAddr])| NodePlan {
            name,
            http: ports[0],
            replication: ports[1],
            admin: ports[2],
        };
        let nodes: Vec<_> = names.zip(free[1..].chunks(PORTS)).map(node).collect();
        Ok(Self { nodes, balancer: free[0], membership: Discovery::Static, settings })
    }

    /// The node's configuration file; the secret and the other nodes' files are in the same folder.
    pub(crate) fn configuration(&self, node: &NodePlan) -> String {
        let NodePlan { name, http, replication, admin } = node;
        let ClusterSettings { manager, mode, drop_time, more } = &self.settings;
        let mut text = format!(
            "[node]\nname = \"{name}\"\ndrain_time = \"5s\"\n[http]\nlisten = \"{http}\"\n[admin]\nlisten = \
             \"{admin}\"\n[cluster]\nname = \"sample\"\nmanager = \"{manager}\"\nsecret_file = \
             \"cluster.secret\"\n[receiver]\nlisten = \"{replication}\"\n[sender]\nmode = \"{mode}\"\n[[app]]\n\
             path = \"/clusterapp\"\nbuiltin = \"clusterapp\"\ndiagnostics = true\n{more}[membership]\n"
        );
        let members: Vec<_> = self.nodes.iter().map(|node| format!("\"{}\"", node.replication)).collect();
        let written = match self.membership {
            Discovery::Multicast => write!(
                text,
                "kind = \"multicast\"\naddress = \"{GROUP}\"\nport = {GROUP_PORT}\nbind = \"{LOCAL}\"\n"
            ),
            Discovery::Static => {
                write!(text, "kind = \"static\"\nmembers = [{}]\n", members.join(", "))
            }
            Discovery::Swim => {
                write!(text, "kind = \"swim\"\nseeds = [{}]\n", members[..members.len().min(2)].join(", "))
            }
        };
        written.expect("a text takes all that is written to it");
        text.push_str(&format!("frequency = \"500ms\"\ndrop_time = \"{drop_time}\"\n"));
        text
    }

    /// The balancer's configuration.
    pub(crate) fn balancer_config(&self) -> BalancerConfig {
        let nodes = self.nodes.iter().map(|node| BackendConfig::new(node.name, node.http.to_string()));
        BalancerConfig {
            balance: BalanceConfig { listen: self.balancer.to_string(), ..BalanceConfig::default() },
            nodes: nodes.collect(),
        }
    }
}

/// A random loopback address, if the system has a loopback network: while a node is down, no other program
/// takes its port there.
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
        for plan in [
            ClusterPlan::of_the_sample(SamplePorts::new(None), Discovery::Multicast),
            ClusterPlan::of_the_sample(SamplePorts::new(Some(20_000)), Discovery::Static),
            ClusterPlan::on_free_ports(2, ClusterSettings::default()).unwrap(),
            ClusterPlan::on_free_ports(
                8,
                ClusterSettings { mode: "async", drop_time: "15s", ..ClusterSettings::default() },
            )
            .unwrap(),
        ] {
            assert_eq!(plan.balancer_config().validate(), Ok(()));
            for node in &plan.nodes {
                let text = plan.configuration(node);
                let (config, warnings) = sessile::Config::parse("tc01.toml", &text).expect(&text);
                assert_eq!(config.node.name, node.name);
                assert!(warnings.list.is_empty(), "{:?}", warnings.list);
            }
        }
    }
}
