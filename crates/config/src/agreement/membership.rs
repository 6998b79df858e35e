//! Checks of `[membership]`: that the chosen kind has what it needs, and that others can reach this node.

use crate::fault::Finding;
use crate::places::Places;
use crate::table::MembershipKind;
use crate::{Config, HostPort};

/// Adds a finding for each disagreement.
pub(super) fn check(config: &Config, places: &Places, findings: &mut Vec<Finding>) {
    needs(config, places, findings);
    families(config, places, findings);
    gossip(config, places, findings);
    reach(config, places, findings);
}

/// A kind that looks in a list needs one.
fn needs(config: &Config, places: &Places, findings: &mut Vec<Finding>) {
    let membership = &config.membership;
    let (kind, key, is_empty, help) = match membership.kind {
        MembershipKind::Multicast => return,
        MembershipKind::Static => (
            "static",
            "members",
            membership.members.is_empty(),
            "add `members = [\"host:port\", …]` with the replication addresses of all nodes",
        ),
        MembershipKind::Dns => (
            "dns",
            "names",
            membership.names.is_empty(),
            "add `names = [\"host:port\"]` with a name that has the addresses of all nodes and their replication port",
        ),
        MembershipKind::Swim => (
            "swim",
            "seeds",
            membership.seeds.is_empty(),
            "add `seeds = [\"host:port\", …]` with the replication addresses of two or three nodes",
        ),
    };
    if is_empty {
        let span = places.of(&[("membership", key), ("membership", "kind")]);
        let error = Finding::error(span, format!("`kind = \"{kind}\"` needs the list of `{key}`"));
        findings.push(error.help(help));
    }
}

/// A group and the interface that joins it are of one family.
fn families(config: &Config, places: &Places, findings: &mut Vec<Finding>) {
    let membership = &config.membership;
    if membership.kind == MembershipKind::Multicast
        && membership.address.is_ipv4() != membership.bind.is_ipv4()
    {
        let span = places.of(&[("membership", "bind"), ("membership", "address")]);
        let error = Finding::error(span, "`address` and `bind` are not both IPv4 or both IPv6");
        let label = format!("{} with the interface {}", membership.address, membership.bind);
        let help = if membership.address.is_ipv6() {
            "write an IPv6 address of this machine, as `bind = \"fd00::5\"`; \"::\" leaves the choice to the system"
        } else {
            "write an IPv4 address of this machine, as `bind = \"10.0.0.5\"`"
        };
        findings.push(error.label(label).help(help));
    }
}

/// Gossip tells third nodes this node's address, so it must be one.
fn gossip(config: &Config, places: &Places, findings: &mut Vec<Finding>) {
    let receiver = &config.receiver;
    let is_swim = config.membership.kind == MembershipKind::Swim;
    if is_swim && receiver.advertise.is_none() && receiver.listen.ip().is_unspecified() {
        let span = places.of(&[("receiver", "listen"), ("membership", "kind")]);
        let error = Finding::error(span, "`kind = \"swim\"` needs an address that nodes can tell each other");
        let help =
            "add `advertise = \"host:port\"` to [receiver], or let `listen` name an address of this machine";
        findings.push(error.label(format!("{} is no address of a node", receiver.listen)).help(help));
    }
}

/// Warns if nodes on other machines would connect to themselves.
fn reach(config: &Config, places: &Places, findings: &mut Vec<Finding>) {
    let membership = &config.membership;
    let (key, elsewhere) = match membership.kind {
        MembershipKind::Multicast => ("bind", !membership.bind.is_loopback()),
        MembershipKind::Static => ("members", membership.members.iter().any(|member| !member.is_loopback())),
        MembershipKind::Dns => ("names", membership.names.iter().any(|name| !name.starts_with("localhost:"))),
        MembershipKind::Swim => ("seeds", membership.seeds.iter().any(|seed| !seed.is_loopback())),
    };
    let advertised = config.receiver.advertise.as_ref();
    let unreachable = advertised.map_or(config.receiver.listen.ip().is_loopback(), HostPort::is_loopback);
    if elsewhere && unreachable {
        let span = places.of(&[("receiver", "advertise"), ("receiver", "listen"), ("membership", key)]);
        let warning = Finding::warning(span, "members on other machines cannot reach a loopback address");
        let help = "listen at an address of the network, or set `advertise` in [receiver] to one";
        findings.push(warning.help(help));
    }
}
