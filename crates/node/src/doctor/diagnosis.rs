//! What each thing that was seen means, and its remedy.

use std::net::SocketAddr;

use sessile_config::{Config, HostPort};
use sessile_group::{ClusterSecrets, Datagrams, HandshakeRefusal, Peer, Probe};

use super::{DoctorFinding, DoctorReport, disagreements, is_here};
use crate::error::JoinError;

/// Collects what was seen.
pub(super) struct Diagnosis<'a> {
    config: &'a Config,
    own: SocketAddr,
    secret_ids: String,
    pub(super) report: DoctorReport,
    /// Members that answered, without this node itself.
    others: usize,
}

impl<'a> Diagnosis<'a> {
    pub(super) fn new(config: &'a Config, own: SocketAddr, secrets: Option<&ClusterSecrets>) -> Self {
        let secret_ids = secrets.map(|secrets| secrets.ids().join(", ")).unwrap_or_default();
        Self { config, own, secret_ids, report: DoctorReport::default(), others: 0 }
    }

    fn add(
        &mut self,
        cause: &'static str,
        subject: impl ToString,
        problem: impl ToString,
        remedy: impl ToString,
    ) {
        self.report.findings.push(DoctorFinding {
            cause,
            subject: subject.to_string(),
            problem: problem.to_string(),
            remedy: remedy.to_string(),
        });
    }

    pub(super) fn unresolved(&mut self, name: &HostPort, error: &std::io::Error) {
        let remedy = "correct the name in [membership], or add it to the name server";
        self.add("name_unknown", name, format!("this name leads nowhere: {error}"), remedy);
    }

    pub(super) fn no_address(&mut self) {
        let names = self.config.membership.names.join(", ");
        let remedy = "see `names` and `resolver` in [membership]; a headless service needs `publishNotReadyAddresses: true`";
        self.add("name_unknown", names, "the name server gave no address, or no answer", remedy);
    }

    pub(super) fn cannot_look(&mut self, error: &JoinError) {
        self.add("membership", "[membership]", error, "see docs/discovery.md");
    }

    /// Takes what is at an address. Gives the address that a member advertises instead, where it should be
    /// tried too.
    pub(super) fn saw(&mut self, address: SocketAddr, seen: Probe) -> Option<SocketAddr> {
        match seen {
            Probe::Met(peer) => return self.met(address, &peer),
            // Where this node itself would listen, nobody does while it is down.
            Probe::Closed if self.is_own(address) => {}
            Probe::Closed => self.add(
                "port_closed",
                address,
                "nobody listens there",
                "start the node; if it runs, compare `listen` in its [receiver] with this address: one on loopback is \
                 reached from its own machine alone",
            ),
            Probe::NoAnswer => self.add(
                "no_answer",
                address,
                "nothing comes back, not even a refusal",
                format!("let TCP port {} through every firewall between the machines, in both directions", address.port()),
            ),
            Probe::Unreachable(error) => {
                self.add("unreachable", address, error, "this machine has no way there: see its routes and addresses");
            }
            Probe::Mute => self.add(
                "mute",
                address,
                "the connection is accepted, and nothing is said",
                "the process there hangs, or is another program, or one of the two nodes has `insecure = true` in [cluster] \
                 and the other not: see its log, and the port in [membership]",
            ),
            Probe::OtherSecret => self.add(
                "wrong_secret",
                address,
                format!("the node there has none of the secrets of this one ({})", self.secret_ids),
                format!(
                    "copy one secret file to all nodes, here {}; `sessile status` of each shows the ids of its secrets",
                    self.config.cluster.secret_file.display()
                ),
            ),
            Probe::OtherCluster => self.add(
                "wrong_cluster",
                address,
                format!("the node there is not of the cluster `{}`", self.config.cluster.name),
                "give all nodes the same `name` in [cluster]",
            ),
            Probe::Refused(cause) => self.refused(address, cause),
        }
        None
    }

    fn refused(&mut self, address: SocketAddr, cause: HandshakeRefusal) {
        let remedy = match cause {
            HandshakeRefusal::Version => "run compatible versions on all nodes",
            HandshakeRefusal::Malformed => {
                "another program listens there, or one of the two nodes has `insecure = true` in [cluster] and the other not"
            }
            _ => "see the log of the node there",
        };
        self.add("refused", address, cause, remedy);
    }

    fn met(&mut self, address: SocketAddr, peer: &Peer) -> Option<SocketAddr> {
        self.report.met.push((peer.name.clone(), address));
        let is_this_node = peer.name == self.config.node.name;
        if is_this_node && self.is_own(address) {
            return None;
        }
        self.others += 1;
        if is_this_node {
            self.add(
                "name_taken",
                address,
                format!("the node there is called `{}` as well", peer.name),
                "give every node its own `name` in [node]",
            );
        }
        for difference in disagreements(self.config, self.own, peer) {
            self.add("settings_differ", address, difference, "make them equal on all nodes");
        }
        if self.own.ip().is_loopback() && !is_here(address) {
            self.add(
                "loopback_advertised",
                self.own,
                format!("{} at {address} cannot reach the loopback address of this node", peer.name),
                "set `listen` or `advertise` in [receiver] to an address of the network",
            );
        }
        if peer.address.ip().is_loopback() && !address.ip().is_loopback() {
            self.add(
                "loopback_advertised",
                address,
                format!(
                    "{} tells others that it is at {}, which is their own machine",
                    peer.name, peer.address
                ),
                format!(
                    "set `listen` or `advertise` in the [receiver] of {} to an address of the network",
                    peer.name
                ),
            );
            return None;
        }
        (peer.address != address).then_some(peer.address)
    }

    /// Takes what is at the address that the member at `address` advertises.
    pub(super) fn saw_advertised(&mut self, address: SocketAddr, advertised: SocketAddr, seen: &Probe) {
        if !matches!(seen, Probe::Met(_)) {
            self.add(
                "advertised_unreachable",
                address,
                format!("the node there tells others that it is at {advertised}, and is not reached there"),
                "correct `advertise` in its [receiver], or open that port",
            );
        }
    }

    /// Takes what came of the announcements, and how many nodes they named.
    pub(super) fn heard(&mut self, datagrams: Datagrams, named: usize) {
        let membership = &self.config.membership;
        let group =
            format!("{}:{} on the interface {}", membership.address, membership.port, membership.bind);
        let otherwise =
            "or find members without multicast: `kind = \"static\"`, \"dns\" or \"swim\" in [membership]";
        if datagrams.own == 0 {
            self.add(
                "multicast_not_delivered",
                group,
                "not even this node's own announcements come back",
                format!(
                    "name an interface with multicast in `bind` and let UDP port {} through, {otherwise}",
                    membership.port
                ),
            );
        } else if named == 0 && self.others > 0 {
            self.add(
                "multicast_not_delivered",
                group,
                "members answer by TCP, and their announcements do not arrive",
                format!(
                    "give all nodes the same `address` and `port` and an interface of one network in `bind`, let the \
                     switches between them pass multicast (IGMP snooping), {otherwise}"
                ),
            );
        } else if named == 0 && datagrams.foreign > 0 {
            self.add(
                "wrong_secret",
                group,
                format!("{} announcements of another cluster, or of nodes with another secret, arrived", datagrams.foreign),
                "give all nodes the same `secret_file` and `name` in [cluster], or this cluster another `port`",
            );
        }
    }

    fn is_own(&self, address: SocketAddr) -> bool {
        address == self.own || (address.port() == self.own.port() && is_here(address))
    }
}
