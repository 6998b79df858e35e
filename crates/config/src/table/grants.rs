//! `[farm.grants]`: the most that the manifest of an archive may ask for.

use std::time::Duration;

use super::{HOUR, SECOND};
use crate::form::{Cidr, Flag, List, Number, Peer, Size, Time, UrlPath};
use crate::keys::{Table, Visitor};
use crate::{HostPort, Network};

/// `[farm.grants]`. An archive that asks for more is refused, whether it is deployed or named by an
/// `[[app]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grants {
    /// Memory of one instance, in bytes.
    pub memory: usize,
    /// Processor time of one request.
    pub cpu_time: Duration,
    /// Total time of one request.
    pub request_time: Duration,
    /// Requests of one application that run at once on this node.
    pub concurrency: u32,
    /// Requests of one application that wait for that.
    pub queue: u32,
    /// The body of one request, in bytes.
    pub body: usize,
    /// Hosts and ports that manifests may list.
    pub egress: Vec<HostPort>,
    /// Loopback, link-local, private and reserved networks that may be called nevertheless. Without any, a
    /// listed host whose name leads there is not called.
    pub private_networks: Vec<Network>,
    /// Session paths that manifests may name, beside the path of the application itself.
    pub session_paths: Vec<String>,
    /// Whether an application may set the principal of sessions that it shares with others.
    pub principals: bool,
}

impl Default for Grants {
    fn default() -> Self {
        Self {
            memory: 256 << 20,
            cpu_time: Duration::from_secs(10),
            request_time: Duration::from_secs(60),
            concurrency: 128,
            queue: 1024,
            body: 64 << 20,
            egress: Vec::new(),
            private_networks: Vec::new(),
            session_paths: Vec::new(),
            principals: false,
        }
    }
}

impl Table for Grants {
    const NAME: &'static str = "farm.grants";
    const MEANING: &'static str = "the most that the manifest of an archive may ask for";

    fn keys(&mut self, visitor: &mut impl Visitor) {
        let memory = Size(64 << 10..=1 << 30);
        visitor.key("memory", memory, &mut self.memory, "of one instance");
        let cpu_time = Time(10..=600 * SECOND);
        visitor.key("cpu_time", cpu_time, &mut self.cpu_time, "processor time of one request");
        visitor.key("request_time", Time(10..=HOUR), &mut self.request_time, "of one request in all");
        let concurrency = Number::within(1..=512);
        visitor.key("concurrency", concurrency, &mut self.concurrency, "requests of one application at once");
        visitor.key("queue", Number::within(0..=65_536), &mut self.queue, "requests that wait for that");
        visitor.key("body", Size(1 << 10..=1 << 30), &mut self.body, "of one request");
        visitor.key("egress", List(Peer), &mut self.egress, "hosts that manifests may list");
        let networks = &mut self.private_networks;
        let meaning = "loopback and private ones that may be called";
        visitor.key("private_networks", List(Cidr), networks, meaning);
        let paths = &mut self.session_paths;
        visitor.key("session_paths", List(UrlPath), paths, "whose sessions manifests may share");
        let principals = &mut self.principals;
        visitor.key("principals", Flag, principals, "true: they may also log in and out in shared sessions");
    }
}
