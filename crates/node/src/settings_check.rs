//! What a node tells the others of its settings, and what it makes of what they tell.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use sessile_group::{NOTICE_LIMIT, Peer};

use sessile_config::{Config, notice_lines};

/// The key in a notice that says whether its node is strict.
const STRICT: &str = "[cluster] strict";

/// This node's own settings and address, as others are compared with them.
pub(crate) struct SettingsCheck {
    name: String,
    pub(crate) address: SocketAddr,
    notice: String,
    is_strict: bool,
}

impl SettingsCheck {
    pub(crate) fn new(config: &Config, address: SocketAddr) -> Self {
        let (name, is_strict) = (config.node.name.clone(), config.cluster.strict);
        Self { name, address, notice: config.notice(NOTICE_LIMIT), is_strict }
    }

    /// Why this node must not join beside this member: `strict` is set on one of them, and they disagree.
    pub(crate) fn forbids(&self, peer: &Peer) -> Option<String> {
        let is_strict = self.is_strict || notice_lines(&peer.notice).get(STRICT) == Some(&"true");
        let differences = if is_strict { self.differences(peer) } else { Vec::new() };
        (!differences.is_empty()).then(|| differences.join("; "))
    }

    /// What is wrong between this node and another one, one sentence each. A build that tells nothing is believed.
    pub(crate) fn warnings_about(&self, peer: &Peer) -> Vec<String> {
        let mut warnings = self.differences(peer);
        if self.address.ip().is_loopback() && !peer.address.ip().is_loopback() {
            warnings.push(format!(
                "{} is at {}, and members there cannot reach the loopback address {} of this node: set [receiver] listen or \
                 advertise to an address of the network",
                peer.name, peer.address, self.address
            ));
        }
        warnings
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
