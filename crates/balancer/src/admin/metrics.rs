//! What the nodes do, in the text format of Prometheus.

use std::fmt::Write;

use crate::backend::BackendState;
use crate::status::BackendStatus;

/// One family of numbers, one for each node.
struct Family {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    value: fn(&BackendStatus) -> u64,
}

const FAMILIES: [Family; 8] = [
    Family {
        name: "sessile_balancer_requests_total",
        kind: "counter",
        help: "Requests, or TCP connections, for which the node was chosen.",
        value: |node| node.requests,
    },
    Family {
        name: "sessile_balancer_retries_total",
        kind: "counter",
        help: "Those of them that had failed before, at this or another node.",
        value: |node| node.retries,
    },
    Family {
        name: "sessile_balancer_failed_connects_total",
        kind: "counter",
        help: "Connections to the node that could not be opened.",
        value: |node| node.failed_connects,
    },
    Family {
        name: "sessile_balancer_unprocessed_total",
        kind: "counter",
        help: "Requests that the node gave back unprocessed.",
        value: |node| node.unprocessed,
    },
    Family {
        name: "sessile_balancer_failures_total",
        kind: "counter",
        help: "Requests that were sent to the node and not answered.",
        value: |node| node.failures,
    },
    Family {
        name: "sessile_balancer_state_changes_total",
        kind: "counter",
        help: "How often the state of the node changed.",
        value: |node| node.state_changes,
    },
    Family {
        name: "sessile_balancer_active",
        kind: "gauge",
        help: "Requests, websockets and TCP connections at the node now.",
        value: |node| node.active as u64,
    },
    Family {
        name: "sessile_balancer_weight",
        kind: "gauge",
        help: "The node's share of new clients.",
        value: |node| u64::from(node.weight),
    },
];

/// All families. A node's name needs no escapes: it is letters, digits, `_` and `-`.
pub(super) fn exposition(nodes: &[BackendStatus]) -> String {
    let mut text = String::new();
    for Family { name, kind, help, value } in FAMILIES {
        head(&mut text, name, kind, help);
        for node in nodes {
            line(&mut text, format_args!("{name}{{node=\"{}\"}} {}", node.name, value(node)));
        }
    }
    let name = "sessile_balancer_node_state";
    head(&mut text, name, "gauge", "1 for the state that the node is in.");
    for node in nodes {
        for state in BackendState::ALL {
            let is = u8::from(node.state == state);
            line(&mut text, format_args!("{name}{{node=\"{}\",state=\"{state}\"}} {is}", node.name));
        }
    }
    text
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    line(text, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{line}");
}
