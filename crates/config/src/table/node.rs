//! `[node]`, `[admin]`: identity of the node, and its admin port.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::DAY;
use crate::form::{Address, File, Flag, HostName, List, Name, Optional, Time};
use crate::keys::{Table, Visitor};

/// `[node]`: the identity of this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name, unique in the cluster; also the route in the cookie. 1 to 32 letters, digits, `_` and `-`.
    pub name: String,
    /// How long a graceful stop may take. At most one day.
    pub drain_time: Duration,
    /// Whether a session's cookie that names another node is made to name this one, so that its client stays
    /// here. `Cluster::rewrite_route` switches it at run time.
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
    /// The Unix socket that serves operators of this machine: this process's user and root, who need no
    /// token. `None`: that of [`Config::admin_socket`](crate::Config::admin_socket).
    pub socket: Option<PathBuf>,
    /// Host names under which the port is asked, as by a Prometheus that knows it by its DNS name. IP
    /// addresses and `localhost` need not be listed.
    pub allowed_hosts: Vec<String>,
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
        let meaning = "for operators of this machine; else NAME.sock beside the secret, if `listen` is set";
        visitor.key("socket", Optional(File), &mut self.socket, meaning);
        let hosts = &mut self.allowed_hosts;
        visitor.key("allowed_hosts", List(HostName), hosts, "names by which clients may call the port");
    }
}
