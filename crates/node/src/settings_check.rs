//! What a node tells the others of its settings, and what it makes of what they tell.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use sessile_group::{HandshakeRefusal, NOTICE_LIMIT, Peer};

use sessile_config::{Config, HostPort, MembershipKind, listed_members, notice_lines};

/// The key in a notice that says whether its node is strict.
const STRICT: &str = "[cluster] strict";

/// This node's own settings and address, as others are compared with them.
pub(crate) struct SettingsCheck {
    name: String,
    pub(crate) address: SocketAddr,
    notice: String,
    is_strict: bool,
    /// The static list of members, if there is one.
    members: Option<Vec<HostPort>>,
}

impl SettingsCheck {
    pub(crate) fn new(config: &Config, address: SocketAddr) -> Self {
        let (name, is_strict) = (config.node.name.clone(), config.cluster.strict);
        let membership = &config.membership;
        let members = (membership.kind == MembershipKind::Static).then(|| membership.members.clone());
        Self { name, address, notice: config.notice(NOTICE_LIMIT), is_strict, members }
    }

    /// Why this node must not join beside this member: `strict` is set on one of them, and they disagree.
    pub(crate) fn forbids(&self, peer: &Peer) -> Option<String> {
        let is_strict = self.is_strict || notice_lines(&peer.notice).get(STRICT) == Some(&"true");
        let differences = if is_strict { self.differences(peer) } else { Vec::new() };
        (!differences.is_empty()).then(|| differences.join("; "))
    }

    /// What is wrong between this node and another one, one sentence each. A build that tells nothing is
    /// believed.
    pub(crate) fn warnings_about(&self, peer: &Peer) -> Vec<String> {
        let mut warnings = self.differences(peer);
        if self.address.ip().is_loopback() && !peer.address.ip().is_loopback() {
            warnings.push(format!(
                "{} is at {}, and members there cannot reach the loopback address {} of this node: set [receiver] listen or \
                 advertise to an address of the network",
                peer.name, peer.address, self.address
            ));
        }
        if self.members.as_ref().is_some_and(|members| !lists(members, peer.address)) {
            warnings.push(unlisted(&self.name, &peer.name, peer.address));
        }
        if listed_members(&peer.notice).is_some_and(|members| !lists(&members, self.address)) {
            warnings.push(unlisted(&peer.name, &self.name, self.address));
        }
        warnings
    }

    /// Somebody answers at `address` who is no member.
    pub(crate) fn stranger_warning(&self, address: SocketAddr, cause: HandshakeRefusal) -> String {
        format!(
            "somebody at {address} is no member of this cluster and is skipped, because {cause}: if it should be one, give \
             it the same secret_file and name in [cluster] and a compatible version; if not, take the address out of \
             [membership]"
        )
    }

    /// What both tell differently, one sentence each.
    pub(crate) fn differences(&self, peer: &Peer) -> Vec<String> {
        if peer.notice.is_empty() {
            return Vec::new();
        }
        let (own, theirs) = (notice_lines(&self.notice), notice_lines(&peer.notice));
        let keys: BTreeSet<&str> = own.keys().chain(theirs.keys()).copied().collect();
        let differing = keys.into_iter().filter(|key| own.get(key) != theirs.get(key));
        let value = |value: Option<&&str>| value.map_or("has none", |value| *value).to_owned();
        let sentence = |key: &str| {
            let (mine, other) = (value(own.get(key)), value(theirs.get(key)));
            format!("members disagree about {key}: {} {mine}, {} {other}", self.name, peer.name)
        };
        differing.map(sentence).collect()
    }
}

/// Whether a list of members names an address. A host name may stand for any host.
fn lists(members: &[HostPort], address: SocketAddr) -> bool {
    members.iter().any(|member| {
        let is_host = match member.host.parse::<IpAddr>() {
            Ok(ip) => ip.to_canonical() == address.ip().to_canonical(),
            Err(_) => true,
        };
        is_host && member.port == address.port()
    })
}

fn unlisted(whose: &str, name: &str, address: SocketAddr) -> String {
    format!(
        "the list of members of {whose} lacks {name} at {address}: a node that has the same list cannot find {name}, and \
         waits in joining; list every node in [membership] members on every node"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(config: &Config, address: &str) -> Peer {
        Peer {
            name: "tc02".to_owned(),
            incarnation: 2,
            address: address.parse().unwrap(),
            features: 0,
            notice: config.notice(NOTICE_LIMIT),
        }
    }

    fn config(text: &str) -> Config {
        Config::parse("tc01.toml", text).unwrap().0
    }

    #[test]
    fn what_differs_is_named_with_both_values() {
        let own = SettingsCheck::new(&config(""), "127.0.0.1:4001".parse().unwrap());
        let warnings = |text: &str| own.warnings_about(&peer(&config(text), "127.0.0.1:4002"));
        assert_eq!(
            warnings("[node]\nname = \"tc02\"\n[sender]\nmode = \"async\"\n[http]\nlisten = 9999"),
            [""; 0]
        );
        assert_eq!(
            warnings("[membership]\ndrop_time = \"5s\""),
            ["members disagree about [membership] drop_time: tc01 \"3s\", tc02 \"5s\""]
        );
        assert_eq!(warnings("[session]\ntimeout = \"1h\"\nmax_active = 5").len(), 2);
        let app = "[[app]]\npath = \"/shop\"\nbuiltin = \"clusterapp\"\ntimeout = \"5m\"";
        assert_eq!(
            warnings(app),
            [
                "members disagree about [[app]] /shop: tc01 has none, tc02 distributable = true, timeout = \"5m\""
            ]
        );
    }

    /// As with seeds: each knows the first node only, and the third one never finds the second.
    #[test]
    fn a_list_that_names_only_the_first_node_is_in_the_warnings_of_every_node() {
        let listing =
            |members: &str| config(&format!("[membership]\nkind = \"static\"\nmembers = [{members}]"));
        let [first, second] = ["127.0.0.1:4001", "127.0.0.1:4002"];
        let warnings = |own: &str, list: &str, other: &str, other_list: &str| {
            let own = SettingsCheck::new(&listing(list), own.parse().unwrap());
            own.warnings_about(&peer(&listing(other_list), other))
        };
        let (seeds, all) = ("\"127.0.0.1:4001\"", "\"127.0.0.1:4001\", \"127.0.0.1:4002\"");
        let lacks =
            |whose: &str, who: &str, at: &str| format!("the list of members of {whose} lacks {who} at {at}");
        for (own, other, said) in
            [(first, second, lacks("tc01", "tc02", second)), (second, first, lacks("tc02", "tc01", second))]
        {
            let found = warnings(own, seeds, other, seeds);
            assert!(found.len() == 1 && found[0].starts_with(&said), "{found:?}");
        }
        for (own_list, other_list) in [(all, all), ("\"127.0.0.1:4002\"", "\"tc01.example:4001\"")] {
            assert_eq!(warnings(first, own_list, second, other_list), [""; 0], "each lists the other");
        }
    }

    #[test]
    fn names_and_dirty_flag_are_compared() {
        let own = SettingsCheck::new(&config(""), "127.0.0.1:4001".parse().unwrap());
        for text in ["[replication]\nnames = \"cart.*\"", "[replication]\ndirty_flag = false"] {
            let warnings = own.warnings_about(&peer(&config(text), "127.0.0.1:4002"));
            assert!(warnings.len() == 1 && warnings[0].contains("[replication]"), "{warnings:?}");
        }
    }

    #[test]
    fn one_strict_side_is_enough_and_equal_ones_join() {
        let at = "127.0.0.1:4001".parse().unwrap();
        let strict = "[cluster]\nstrict = true\n";
        let longer = "[session]\ntimeout = \"1h\"";
        let forbids = |own: &str, other: &str| {
            SettingsCheck::new(&config(own), at).forbids(&peer(&config(other), "127.0.0.1:4002"))
        };
        assert_eq!(forbids("", longer), None);
        assert_eq!(forbids(strict, strict), None);
        for (own, other) in [(strict, longer), (longer, strict), (strict, "")] {
            let why = forbids(own, other).expect("they disagree");
            assert!(why.contains("members disagree about [cluster] strict"), "{why}");
        }
        let why = forbids(strict, &format!("{strict}{longer}")).expect("they disagree");
        assert_eq!(why, "members disagree about [session] timeout: tc01 \"30m\", tc02 \"1h\"");
    }

    #[test]
    fn a_build_that_tells_nothing_is_believed() {
        let own = SettingsCheck::new(&config(""), "127.0.0.1:4001".parse().unwrap());
        let silent =
            Peer { notice: String::new(), ..peer(&config("[session]\ntimeout = \"1h\""), "127.0.0.1:4002") };
        assert_eq!(own.warnings_about(&silent), [""; 0]);
    }

    #[test]
    fn a_loopback_address_is_no_address_for_other_machines() {
        let own = |address: &str| SettingsCheck::new(&config(""), address.parse().unwrap());
        let elsewhere = peer(&config(""), "10.0.0.5:4001");
        let warnings = own("127.0.0.1:4001").warnings_about(&elsewhere);
        assert!(warnings.len() == 1 && warnings[0].contains("127.0.0.1:4001"), "{warnings:?}");
        assert_eq!(own("10.0.0.4:4001").warnings_about(&elsewhere), [""; 0]);
    }
}
