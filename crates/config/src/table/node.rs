//! `[node]`, `[admin]`: identity of the node, and its admin port.

use std::net::SocketAddr;
use std::time::Duration;

use super::DAY;
use crate::form::{Address, Flag, Name, Optional, Time};
use crate::keys::{Table, Visitor};

/// `[node]`: the identity of this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name, unique in the cluster; also the route in the cookie. 1 to 32 letters, digits, `_` and `-`.
    pub name: String,
    /// How long a graceful stop may take. At most one day.
    pub drain_time: Duration,
    /// Whether a session's cookie that names another node is made to name this one, so that its client stays here.
    /// `Cluster::rewrite_route` switches it at run time.
    pub rewrite_route: bool,
}

impl Default for Node {
    fn default() -> Self {
        Self { name: "tc01".to_owned(), drain_time: Duration::from_secs(30), rewrite_route: true }
    }
}

impl Table for Node {
    const NAME: &'static str = "node";
    const MEANING: &'static str = "who this node is";

    fn keys(&mut self, visitor: &mut impl Visitor) {
        visitor.key("name", Name, &mut self.name, "unique in the cluster; the route in the cookie");
        visitor.key("drain_time", Time(0..=DAY), &mut self.drain_time, "how long a graceful stop may take");
        visitor.key(
            "rewrite_route",
            Flag,
            &mut self.rewrite_route,
            "clients that failed over stay; false: they return",
        );
        visitor.later("zone", "backups in another zone");
    }
}

/// `[admin]`: the port that serves operators.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admin {
    /// Where health, metrics, members and sessions are shown; `None`: nowhere.
    pub listen: Option<SocketAddr>,
}

impl Table for Admin {
    const NAME: &'static str = "admin";
    const MEANING: &'static str = "the port that serves operators";

    fn keys(&mut self, visitor: &mut impl Visitor) {
        visitor.key(
            "listen",
            Optional(Address),
            &mut self.listen,
            "health, metrics, members; a port is enough",
        );
    }
}
