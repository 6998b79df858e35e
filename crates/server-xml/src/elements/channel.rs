//! `Channel`: membership, receiver, sender, interceptors. Tomcat 5 has them in `Cluster`.

use std::net::Ipv4Addr;

use roxmltree::Node;

use super::{Element, Fate, lost, needless};
use crate::draft::Draft;
use crate::place::Place;
use crate::rule::{Given, Rule};
use crate::value::quoted;

const SOCKETS: &str = "a setting of sockets that needs no setting here";
const POLLED: &str = "sockets are waited for, not polled";
const REOPENED: &str = "multicast that fails is opened anew by itself";
const DAY: u64 = 86_400_000;
const HOUR: u64 = 3_600_000;

const FREQUENCY: Rule = Rule::Millis("membership", "frequency", 10, 60_000);
const DROP_TIME: Rule = Rule::Millis("membership", "drop_time", 40, HOUR);
const GROUP_PORT: Rule = Rule::Number("membership", "port", 1, 65_535);
const ACK_TIMEOUT: Rule = Rule::Millis("sender", "ack_timeout", 1, HOUR);
const KEEP_ALIVE: Rule = Rule::Millis("sender", "keep_alive", 1_000, DAY);
const WORKERS: Rule = Rule::Number("receiver", "workers", 1, 64);

pub(super) const ELEMENTS: &[Element] = &[
    Element { tag: "Channel", classes: &[], fate: Fate::Read, attributes: &[("*", Rule::Needless(SOCKETS))] },
    Element {
        tag: "Membership",
        classes: &["McastService", ""],
        fate: Fate::Read,
        attributes: &[
            ("mcastAddr", Rule::By(group)),
            ("address", Rule::By(group)),
            ("mcastPort", GROUP_PORT),
            ("port", GROUP_PORT),
            ("mcastFrequency", FREQUENCY),
            ("frequency", FREQUENCY),
            ("mcastDropTime", DROP_TIME),
            ("dropTime", DROP_TIME),
            ("mcastBindAddr", Rule::By(bind)),
            ("mcastBindAddress", Rule::By(bind)),
            ("bind", Rule::By(bind)),
            ("mcastTTL", Rule::Number("membership", "ttl", 0, 255)),
            ("ttl", Rule::Number("membership", "ttl", 0, 255)),
            ("mcastClusterDomain", Rule::By(domain)),
            ("domain", Rule::By(domain)),
            ("recoveryCounter", Rule::Needless(REOPENED)),
            ("recoveryEnabled", Rule::Needless(REOPENED)),
            ("recoverySleepTime", Rule::Needless(REOPENED)),
            ("localLoopbackDisabled", Rule::Needless("a node knows its own announcements")),
            ("mcastSoTimeout", Rule::Needless(POLLED)),
            ("soTimeout", Rule::Needless(POLLED)),
        ],
    },
    Element {
        tag: "Membership",
        classes: &["StaticMembershipService"],
        fate: Fate::ReadBy(is_static),
        attributes: &[("*", Rule::Needless("`frequency` and `drop_time` in [membership]"))],
    },
    lost(
        "Membership",
        &["CloudMembershipService"],
        "write the name of the headless service: `kind = \"dns\"`, `names`",
    ),
    lost("Membership", &[], "a membership of one's own is Java code: see docs/extending.md"),
    Element {
        tag: "Member",
        classes: &[],
        fate: Fate::ReadBy(member),
        attributes: &[
            ("host", Rule::Silent),
            ("port", Rule::Silent),
            ("uniqueId", Rule::Needless("a process is told apart by random bits of its own")),
            ("securePort", Rule::Needless("there is one port, and it is encrypted")),
            ("domain", Rule::By(domain)),
        ],
    },
    Element {
        tag: "LocalMember",
        classes: &[],
        fate: Fate::Read,
        attributes: &[
            ("domain", Rule::By(domain)),
            ("*", Rule::Needless("a process is told apart by random bits of its own")),
        ],
    },
    Element {
        tag: "Receiver",
        classes: &[],
        fate: Fate::ReadBy(receiver),
        attributes: &[
            ("tcpListenAddress", Rule::By(receiver_address)),
            ("address", Rule::By(receiver_address)),
            ("tcpListenPort", Rule::By(receiver_port)),
            ("port", Rule::By(receiver_port)),
            ("autoBind", Rule::By(auto_bind)),
            ("tcpThreadCount", WORKERS),
            ("maxThreads", WORKERS),
            ("minThreads", Rule::Needless("`workers` in [receiver] is a fixed number")),
            ("tcpSelectorTimeout", Rule::Needless(POLLED)),
            ("selectorTimeout", Rule::Needless(POLLED)),
            ("sendAck", Rule::Needless("`mode` in [sender]")),
            ("sendAckEnabled", Rule::Needless("`mode` in [sender]")),
            ("compress", Rule::Lost("cluster traffic is not compressed in this version")),
            ("*", Rule::Needless(SOCKETS)),
        ],
    },
    Element {
        tag: "Sender",
        classes: &[],
        fate: Fate::Read,
        attributes: &[
            ("replicationMode", Rule::By(replication_mode)),
            ("ackTimeout", ACK_TIMEOUT),
            ("waitForAck", Rule::Needless("every mode but async waits for the members")),
            ("autoConnect", Rule::Needless("a member that is missing is tried again by itself")),
            ("keepAliveTimeout", KEEP_ALIVE),
            ("keepAliveMaxRequestCount", Rule::Needless("connections stay open, however much they carry")),
            ("maxQueueLength", Rule::Lost("the queue is bounded in bytes: `queue_bytes` in [sender]")),
            ("maxPoolSocketLimit", Rule::Number("sender", "pool_size", 1, 256)),
            ("compress", Rule::Lost("cluster traffic is not compressed in this version")),
            ("*", Rule::Needless("`/metrics` of the admin port counts, and sockets need no setting")),
        ],
    },
    Element {
        tag: "Transport",
        classes: &[],
        fate: Fate::Read,
        attributes: &[
            ("timeout", ACK_TIMEOUT),
            ("maxWait", Rule::Millis("sender", "max_wait", 1, HOUR)),
            ("poolSize", Rule::Needless("`pipelined` needs one connection; `pooled` has `pool_size`")),
            ("keepAliveTime", Rule::Needless("a connection stays open while its member is there")),
            ("keepAliveCount", Rule::Needless("a connection stays open while its member is there")),
            ("maxRetryAttempts", Rule::Needless("what a member has missed it gets when it is back")),
            ("throwOnFailedAck", Rule::Needless("the receipt says how many copies there are")),
            ("*", Rule::Needless(SOCKETS)),
        ],
    },
    Element {
        tag: "Interceptor",
        classes: &["StaticMembershipInterceptor"],
        fate: Fate::ReadBy(is_static),
        attributes: &[("*", Rule::Silent)],
    },
    Element {
        tag: "Interceptor",
        classes: &["DomainFilterInterceptor"],
        fate: Fate::Read,
        attributes: &[("domain", Rule::By(domain)), ("*", Rule::Silent)],
    },
    needless(
        "Interceptor",
        &["TcpFailureDetector", "TcpPingInterceptor"],
        "members prove by echoes that they are there; no datagram makes or removes one",
    ),
    needless(
        "Interceptor",
        &["MessageDispatchInterceptor", "MessageDispatch15Interceptor"],
        "`mode = \"async\"` in [sender] queues",
    ),
    needless("Interceptor", &["ThroughputInterceptor"], "`/metrics` of the admin port always counts"),
    needless(
        "Interceptor",
        &["EncryptInterceptor"],
        "cluster traffic is always encrypted: `secret_file` in [cluster]",
    ),
    needless(
        "Interceptor",
        &["FragmentationInterceptor", "OrderInterceptor"],
        "frames come whole and in order",
    ),
    lost("Interceptor", &["GzipInterceptor"], "cluster traffic is not compressed in this version"),
    lost("Interceptor", &[], "an interceptor is Java code"),
];

fn is_static(draft: &mut Draft, node: Node<'_, '_>, place: &Place) -> bool {
    // Without members it does nothing.
    if node.children().any(|child| child.has_tag_name("Member")) {
        draft.set("membership", "kind", quoted("static"), place, super::class(node));
    }
    true
}

fn member(draft: &mut Draft, node: Node<'_, '_>, place: &Place) -> bool {
    let (host, port) = (node.attribute("host"), node.attribute("port"));
    match (host, port.map(str::parse::<u16>)) {
        (Some(host), Some(Ok(port))) if !host.contains("${") => {
            // Some write four numbers in braces.
            let bare = host.trim_matches(['{', '}']);
            let host = if bare == host { host.to_owned() } else { bare.replace(',', ".") };
            draft.members.push(format!("{host}:{port}"));
        }
        _ => {
            let help = "Tomcat would not read it either: write `host` and `port`";
            draft.wrong(place, "a static member needs a `host` and a `port`", help);
        }
    }
    true
}

fn receiver(draft: &mut Draft, _: Node<'_, '_>, place: &Place) -> bool {
    draft.has_receiver = true;
    draft.listens.receiver.place = Some(place.clone());
    true
}

fn receiver_address(draft: &mut Draft, given: &Given<'_>) {
    draft.listens.receiver.address = Some(given.value.to_owned());
}

fn receiver_port(draft: &mut Draft, given: &Given<'_>) {
    if let Some(port) = given.number::<u16>(draft) {
        draft.listens.receiver.port = Some(port);
        draft.listens.receiver.place = Some(given.place.clone());
        draft.listens.receiver.from = format!("Receiver {}", given.name);
    }
}

/// A number of ports that are tried, or true.
fn auto_bind(draft: &mut Draft, given: &Given<'_>) {
    let tries = match crate::value::flag(given.value) {
        Some(tries) => tries,
        None => match given.number::<u32>(draft) {
            Some(ports) => ports > 0,
            None => return,
        },
    };
    draft.set("receiver", "next_free_port", tries.to_string(), &given.place, "Receiver autoBind");
}

fn group(draft: &mut Draft, given: &Given<'_>) {
    if given.value.parse().is_ok_and(|address: Ipv4Addr| address.is_multicast()) {
        draft.set(
            "membership",
            "address",
            quoted(given.value),
            &given.place,
            &format!("Membership {}", given.name),
        );
    } else {
        let why = "it is no IPv4 multicast address: write one of 224.0.0.0 to 239.255.255.255";
        draft.note("membership", &given.place, &given.what(), why, true);
    }
}

fn bind(draft: &mut Draft, given: &Given<'_>) {
    let address = if given.value == "localhost" { "127.0.0.1" } else { given.value };
    if address.parse::<Ipv4Addr>().is_ok() {
        draft.set("membership", "bind", quoted(address), &given.place, &format!("Membership {}", given.name));
    } else {
        let why = "it is no IPv4 address: write that of the interface into `bind`";
        draft.note("membership", &given.place, &given.what(), why, true);
    }
}

/// Nodes of another domain are strangers, as are those of another cluster.
fn domain(draft: &mut Draft, given: &Given<'_>) {
    if !draft.has("cluster", "name") {
        let name = crate::value::name(given.value);
        let from = format!("{} {}", given.element, given.name);
        draft.set("cluster", "name", quoted(&name), &given.place, &from);
    } else if given.element != "Member" {
        let why = "nodes of another domain are strangers: give them another `name` in [cluster]";
        draft.note("cluster", &given.place, &given.what(), why, false);
    }
}

fn replication_mode(draft: &mut Draft, given: &Given<'_>) {
    let mode = match given.value.to_ascii_lowercase().as_str() {
        "pooled" => "pooled",
        "synchronous" => "sync",
        // Tomcat 5.5 has three kinds of queues.
        "asynchronous" | "fastasyncqueue" | "fastasyncqueuesingle" => "async",
        _ => {
            let help = "it is `synchronous`, `asynchronous`, `pooled` or `fastasyncqueue`";
            draft.wrong(&given.place, format!("`{}` is no replicationMode", given.value), help);
            return;
        }
    };
    draft.set("sender", "mode", quoted(mode), &given.place, "Sender replicationMode");
}
