//! Metrics of nodes and balancer, in the text format of Prometheus.

use std::fmt::Write;

use super::Statistics;
use crate::backend::BackendState;
use crate::statistics::{BOUNDS_MS, BalancerStatus};
use crate::status::BackendStatus;

/// One family of numbers of what `T` describes.
struct Family<T> {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    value: fn(&T) -> u64,
}

const fn family<T>(
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    value: fn(&T) -> u64,
) -> Family<T> {
    Family { name, kind, help, value }
}

const OF_NODES: [Family<BackendStatus>; 10] = [
    family(
        "sessile_balancer_requests_total",
        "counter",
        "Requests, or TCP connections, for which the node was chosen.",
        |node| node.requests,
    ),
    family(
        "sessile_balancer_retries_total",
        "counter",
        "Those of them that had failed before, at this or another node.",
        |node| node.retries,
    ),
    family(
        "sessile_balancer_failed_connects_total",
        "counter",
        "Connections to the node that could not be opened.",
        |node| node.failed_connects,
    ),
    family(
        "sessile_balancer_unprocessed_total",
        "counter",
        "Requests that the node gave back unprocessed.",
        |node| node.unprocessed,
    ),
    family(
        "sessile_balancer_failures_total",
        "counter",
        "Requests that were sent to the node and not answered.",
        |node| node.failures,
    ),
    family(
        "sessile_balancer_state_changes_total",
        "counter",
        "How often the state of the node changed.",
        |node| node.state_changes,
    ),
    family(
        "sessile_balancer_ejections_total",
        "counter",
        "How often the node was left out because it failed request after request.",
        |node| node.ejections,
    ),
    family(
        "sessile_balancer_active",
        "gauge",
        "Requests, websockets and TCP connections at the node now.",
        |node| node.active as u64,
    ),
    family(
        "sessile_balancer_max_requests",
        "gauge",
        "Most requests that the node gets at once; 0: no limit.",
        |node| node.max_requests as u64,
    ),
    family("sessile_balancer_weight", "gauge", "The node's share of new clients.", |node| {
        u64::from(node.weight)
    }),
];

const OF_THE_BALANCER: [Family<BalancerStatus>; 17] = [
    family("sessile_balancer_client_connections", "gauge", "Connections of clients now.", |all| {
        all.connections as u64
    }),
    family("sessile_balancer_client_connections_total", "counter", "Connections of clients.", |all| {
        all.connections_total
    }),
    family(
        "sessile_balancer_client_connections_evicted_total",
        "counter",
        "Idle connections that were closed because their place was needed.",
        |all| all.connections_evicted,
    ),
    family(
        "sessile_balancer_client_connections_refused_total",
        "counter",
        "Connections that were closed at once, because their source has too many.",
        |all| all.connections_refused,
    ),
    family(
        "sessile_balancer_client_connections_failed_total",
        "counter",
        "Connections without a PROXY header or a TLS handshake that could be used, in time.",
        |all| all.connections_failed,
    ),
    family(
        "sessile_balancer_client_connections_rested_total",
        "counter",
        "How often an idle connection gave its buffers back.",
        |all| all.connections_rested,
    ),
    family("sessile_balancer_client_requests_total", "counter", "Requests of clients.", |all| all.requests),
    family(
        "sessile_balancer_own_responses_total",
        "counter",
        "Answers that no node gave, but the balancer.",
        |all| all.own_responses,
    ),
    family(
        "sessile_balancer_cut_short_total",
        "counter",
        "Answers whose client went away before their end.",
        |all| all.cut_short,
    ),
    family("sessile_balancer_bytes_out_total", "counter", "Bytes of answers' bodies to clients.", |all| {
        all.bytes_out
    }),
    family("sessile_balancer_queue", "gauge", "Requests that wait for a node now.", |all| all.waiting as u64),
    family("sessile_balancer_queued_total", "counter", "Requests that had to wait for a node.", |all| {
        all.waited
    }),
    family(
        "sessile_balancer_queue_timeouts_total",
        "counter",
        "Those for which no node came in time.",
        |all| all.wait_timed_out,
    ),
    family("sessile_balancer_queue_full_total", "counter", "Requests that found the queue full.", |all| {
        all.turned_away
    }),
    family(
        "sessile_balancer_retries_denied_total",
        "counter",
        "Requests that were not repeated because too many had been.",
        |all| all.retries_denied,
    ),
    family("sessile_balancer_access_log_lines_total", "counter", "Lines in the access log.", |all| {
        all.log_lines
    }),
    family(
        "sessile_balancer_access_log_lost_total",
        "counter",
        "Lines that the access log could not take.",
        |all| all.log_lines_lost,
    ),
];

/// All families. A node's name needs no escapes: it is letters, digits, `_` and `-`.
pub(super) fn exposition(statistics: &Statistics) -> String {
    let (mut text, nodes) = (String::new(), &statistics.nodes);
    for Family { name, kind, help, value } in OF_THE_BALANCER {
        head(&mut text, name, kind, help);
        line(&mut text, format_args!("{name} {}", value(&statistics.balancer)));
    }
    let name = "sessile_balancer_log_lines_lost_total";
    head(&mut text, name, "counter", "Lines of the balancer's own log that could not be written.");
    line(&mut text, format_args!("{name} {}", statistics.log_lines_lost));
    responses(&mut text, statistics);
    latency(&mut text, &statistics.balancer);
    for Family { name, kind, help, value } in OF_NODES {
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

fn responses(text: &mut String, statistics: &Statistics) {
    let name = "sessile_balancer_client_responses_total";
    head(text, name, "counter", "Answers to clients, the balancer's own included.");
    for (class, count) in (1..).zip(statistics.balancer.responses) {
        line(text, format_args!("{name}{{class=\"{class}xx\"}} {count}"));
    }
    let name = "sessile_balancer_responses_total";
    head(text, name, "counter", "Answers of the node.");
    for node in &statistics.nodes {
        for (class, count) in (2..).zip(node.responses) {
            line(text, format_args!("{name}{{node=\"{}\",class=\"{class}xx\"}} {count}", node.name));
        }
    }
}

fn latency(text: &mut String, balancer: &BalancerStatus) {
    let name = "sessile_balancer_answer_seconds";
    head(text, name, "histogram", "Time from the head of a request to the head of its answer.");
    let mut below = 0;
    for (bound, count) in BOUNDS_MS.iter().zip(balancer.answered_by_ms) {
        below += count;
        line(text, format_args!("{name}_bucket{{le=\"{}\"}} {below}", *bound as f64 / 1e3));
    }
    let all: u64 = balancer.answered_by_ms.iter().sum();
    line(text, format_args!("{name}_bucket{{le=\"+Inf\"}} {all}"));
    line(text, format_args!("{name}_sum {}\n{name}_count {all}", balancer.answered_seconds));
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    line(text, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{line}");
}
