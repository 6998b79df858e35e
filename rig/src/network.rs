//! A bridge with hosts (network namespaces) and faults of the links between them.

use std::net::Ipv4Addr;

use anyhow::Result;

use crate::namespaces::run;

/// The bridge's address, used by clients and emulated links.
pub(crate) const HERE: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 254);
/// The hosts of nodes are 10.77.0.1 to 10.77.0.15.
const NODES: &str = "10.77.0.0/28";

/// The network, removed when dropped.
pub(crate) struct Network {
    hosts: usize,
}

/// Name of a host's namespace, counted from 1.
pub(crate) fn namespace(host: usize) -> String {
    format!("h{host}")
}

/// Name of the host's bridge port.
fn port(host: usize) -> String {
    format!("v{host}")
}

/// Address of the host.
pub(crate) fn address(host: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, u8::try_from(host).unwrap_or(u8::MAX))
}

impl Network {
    /// Creates this many hosts, at most 15.
    pub(crate) fn new(hosts: usize) -> Result<Self> {
        let network = Self { hosts: 0 };
        // Without an IGMP querier, multicast snooping would drop group traffic.
        run("ip", &["link", "add", "br0", "type", "bridge", "mcast_snooping", "0"])?;
        run("ip", &["addr", "add", &format!("{HERE}/24"), "dev", "br0"])?;
        run("ip", &["link", "set", "br0", "up"])?;
        let mut network = network;
        for host in 1..=hosts {
            network.hosts = host;
            add_host(host)?;
        }
        Ok(network)
    }

    /// Blocks all traffic between two hosts.
    pub(crate) fn cut(&self, one: usize, other: usize) -> Result<()> {
        self.cut_one_way(one, other)?;
        self.cut_one_way(other, one)
    }

    /// Blocks traffic from `from` to `to`.
    pub(crate) fn cut_one_way(&self, from: usize, to: usize) -> Result<()> {
        nft(to, &format!("add rule inet rig in ip saddr {} drop", address(from)))
    }

    /// Drops `percent` of the packets between nodes.
    pub(crate) fn lose(&self, percent: u32) -> Result<()> {
        for host in 1..=self.hosts {
            nft(
                host,
                &format!("add rule inet rig in ip saddr {NODES} numgen random mod 100 < {percent} drop"),
            )?;
        }
        Ok(())
    }

    /// Removes all link faults; emulated links stay.
    pub(crate) fn heal(&self) -> Result<()> {
        (1..=self.hosts).try_for_each(|host| nft(host, "flush chain inet rig in"))
    }

    /// Redirects connections from `from` to `to`'s replication port to `port` on the bridge.
    pub(crate) fn divert(&self, from: usize, to: usize, port: u16) -> Result<()> {
        let to = address(to);
        nft(from, &format!("add rule ip detour out ip daddr {to} tcp dport 4001 dnat to {HERE}:{port}"))
    }

    /// Limits the bandwidth of `host`'s outgoing traffic, for example to `1mbit`.
    pub(crate) fn narrow(&self, host: usize, rate: &str) -> Result<()> {
        inside(
            host,
            "tc",
            &[
                "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", rate, "burst", "16kb", "latency",
                "400ms",
            ],
        )
    }

    /// Removes the bandwidth limit.
    pub(crate) fn widen(&self, host: usize) -> Result<()> {
        inside(host, "tc", &["qdisc", "del", "dev", "eth0", "root"])
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for host in 1..=self.hosts {
            // A namespace is removed asynchronously, so delete the link explicitly before the next network.
            let _ = run("ip", &["link", "del", &port(host)]);
            let _ = run("ip", &["netns", "del", &namespace(host)]);
        }
        let _ = run("ip", &["link", "del", "br0"]);
    }
}

fn add_host(host: usize) -> Result<()> {
    let (name, port) = (namespace(host), port(host));
    run("ip", &["netns", "add", &name])?;
    run("ip", &["link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &name])?;
    run("ip", &["link", "set", &port, "master", "br0", "up"])?;
    inside(host, "ip", &["addr", "add", &format!("{}/24", address(host)), "dev", "eth0"])?;
    inside(host, "ip", &["link", "set", "eth0", "up"])?;
    inside(host, "ip", &["link", "set", "lo", "up"])?;
    inside(host, "ip", &["route", "add", "224.0.0.0/4", "dev", "eth0"])?;
    nft(host, "add table inet rig")?;
    nft(host, "add chain inet rig in { type filter hook input priority 0 ; }")?;
    nft(host, "add table ip detour")?;
    nft(host, "add chain ip detour out { type nat hook output priority -100 ; }")
}

fn nft(host: usize, command: &str) -> Result<()> {
    inside(host, "nft", &[command])
}

fn inside(host: usize, tool: &str, arguments: &[&str]) -> Result<()> {
    let host = namespace(host);
    let mut all = vec!["netns", "exec", host.as_str(), tool];
    all.extend(arguments);
    run("ip", &all)
}
