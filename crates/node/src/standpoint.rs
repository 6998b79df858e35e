//! What a node tells the others of its settings, and what it makes of what they tell.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use sessile_group::{NOTICE_LIMIT, Peer};

use sessile_config::{Config, notice_lines};

/// This node's own settings and address, as others are compared with them.
pub(crate) struct Standpoint {
    name: String,
    pub(crate) address: SocketAddr,
    notice: String,
}

impl Standpoint {
    pub(crate) fn new(config: &Config, address: SocketAddr) -> Self {
        Self { name: config.node.name.clone(), address, notice: config.notice(NOTICE_LIMIT) }
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

    fn differences(&self, peer: &Peer) -> Vec<String> {
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
        let own = Standpoint::new(&config(""), "127.0.0.1:4001".parse().unwrap());
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
    fn a_build_that_tells_nothing_is_believed() {
        let own = Standpoint::new(&config(""), "127.0.0.1:4001".parse().unwrap());
        let silent =
            Peer { notice: String::new(), ..peer(&config("[session]\ntimeout = \"1h\""), "127.0.0.1:4002") };
        assert_eq!(own.warnings_about(&silent), [""; 0]);
    }

    #[test]
    fn a_loopback_address_is_no_address_for_other_machines() {
        let own = |address: &str| Standpoint::new(&config(""), address.parse().unwrap());
        let elsewhere = peer(&config(""), "10.0.0.5:4001");
        let warnings = own("127.0.0.1:4001").warnings_about(&elsewhere);
        assert!(warnings.len() == 1 && warnings[0].contains("127.0.0.1:4001"), "{warnings:?}");
        assert_eq!(own("10.0.0.4:4001").warnings_about(&elsewhere), [""; 0]);
    }
}
