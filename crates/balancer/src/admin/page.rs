//! The statistics as a page for people, after the model of HAProxy's: one row for each node, numbers under
//! grouped heads. On a narrow screen each node is a card. Nothing is fetched, no script runs; the page loads
//! itself again.

use std::fmt::Write;

use super::Statistics;
use crate::backend::BackendState;
use crate::statistics::{BOUNDS_MS, BalancerStatus};
use crate::status::BackendStatus;

const FRAME: &str = include_str!("page.html");

/// The page.
pub(super) fn render(statistics: &Statistics) -> String {
    let up = statistics.nodes.iter().filter(|node| node.state == BackendState::Up).count();
    let all = statistics.nodes.len();
    let state = if up == all { "up" } else { "down" };
    FRAME
        .replace("{{uptime}}", &time(statistics.balancer.uptime_seconds))
        .replace("{{summary}}", &format!("<span class=\"state {state}\">{up} of {all} nodes up</span>"))
        .replace("{{cards}}", &cards(&statistics.balancer, statistics.log_lines_lost))
        .replace("{{answers}}", &answers(&statistics.balancer))
        .replace("{{nodes}}", &statistics.nodes.iter().map(row).collect::<String>())
}

/// The figures of the balancer itself.
fn cards(balancer: &BalancerStatus, log_lines_lost: u64) -> String {
    let queue = balancer.wait_timed_out + balancer.turned_away;
    let cards = [
        (
            "Connections",
            count(balancer.connections as u64),
            format!(
                "{} in all, {} evicted, {} refused, {} failed",
                count(balancer.connections_total),
                count(balancer.connections_evicted),
                count(balancer.connections_refused),
                count(balancer.connections_failed)
            ),
        ),
        ("Requests", count(balancer.requests), format!("{} cut short by clients", count(balancer.cut_short))),
        ("Waiting for a node", count(balancer.waiting as u64), {
            format!("{} waited, {} in vain", count(balancer.waited), count(queue))
        }),
        ("Own answers", count(balancer.own_responses), {
            format!("{} repeats denied", count(balancer.retries_denied))
        }),
        ("Sent to clients", bytes(balancer.bytes_out), {
            let [_, ok, moved, client, server] = balancer.responses;
            format!(
                "2xx {} · 3xx {} · 4xx {} · 5xx {}",
                count(ok),
                count(moved),
                count(client),
                count(server)
            )
        }),
        ("Own log", count(log_lines_lost), "lines lost".to_owned()),
        ("Access log", count(balancer.log_lines), format!("{} lines lost", count(balancer.log_lines_lost))),
    ];
    let card = |(name, number, remark): &(&str, String, String)| {
        format!("<div class=\"card\"><h2>{name}</h2><b>{number}</b><small>{remark}</small></div>\n")
    };
    cards.iter().map(card).collect()
}

/// How long answers took until they began, as bars.
fn answers(balancer: &BalancerStatus) -> String {
    let most = balancer.answered_by_ms.iter().copied().max().unwrap_or(0).max(1);
    let names = BOUNDS_MS.iter().map(|bound| match bound {
        1_000.. => format!("{} s", bound / 1_000),
        _ => format!("{bound} ms"),
    });
    let mut text = String::new();
    for (name, number) in names.chain(["more".into()]).zip(balancer.answered_by_ms) {
        let width = number as f64 / most as f64 * 100.0;
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "<div class=\"bar\"><span>{name}</span><i><u style=\"width:{width:.1}%\"></u></i><span>{}</span></div>",
            count(number)
        );
    }
    text
}

/// One node.
fn row(node: &BackendStatus) -> String {
    let most = if node.max_requests == 0 { "–".into() } else { count(node.max_requests as u64) };
    let [ok, moved, client, server] = node.responses.map(count);
    let cells = [
        ("Weight", count(u64::from(node.weight))),
        ("Now", count(node.active as u64)),
        ("Most", count(node.most_active as u64)),
        ("Limit", most),
        ("Requests", count(node.requests)),
        ("2xx", ok),
        ("3xx", moved),
        ("4xx", client),
        ("5xx", server),
        ("No connection", count(node.failed_connects)),
        ("Not processed", count(node.unprocessed)),
        ("No answer", count(node.failures)),
        ("Repeats", count(node.retries)),
        ("Changes", count(node.state_changes)),
        ("Left out", count(node.ejections)),
    ];
    let mut text = format!(
        "<tr class=\"{0}\"><th scope=\"row\">{1}<small>{2}</small></th>\
         <td class=\"text\" data-name=\"State\"><span class=\"state {0}\">{0}</span> <small>for {3}: {4}</small></td>",
        node.state,
        escaped(&node.name),
        escaped(&node.address),
        time(node.state_seconds),
        escaped(&node.reason)
    );
    for (name, value) in cells {
        // Writing to a string does not fail.
        let _ = write!(text, "<td data-name=\"{name}\">{value}</td>");
    }
    text + "</tr>\n"
}

/// A number with its thousands apart.
fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = number as f64;
    let mut unit = 0;
    while value >= 1_024.0 && unit + 1 < UNITS.len() {
        (value, unit) = (value / 1_024.0, unit + 1);
    }
    if unit == 0 { format!("{number} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

fn time(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_at_a_glance() {
        assert_eq!([count(0), count(999), count(12_345)], ["0", "999", "12\u{202f}345"]);
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!([bytes(1_023), bytes(1_536), bytes(3 << 30)], ["1023 B", "1.5 KiB", "3.0 GiB"]);
        assert_eq!([time(119), time(120), time(7_200), time(400_000)], ["119 s", "2 min", "2 h", "4 d"]);
    }

    #[test]
    fn what_comes_from_outside_is_escaped_and_nothing_is_fetched() {
        let mut node = BackendStatus { name: "tc01".into(), ..BackendStatus::default() };
        node.reason = "its health path answers <script src=\"//evil\">".into();
        let page =
            render(&Statistics { balancer: BalancerStatus::default(), log_lines_lost: 0, nodes: vec![node] });
        assert!(!page.contains("<script") && page.contains("&lt;script src=&quot;//evil&quot;&gt;"));
        assert!(!page.contains("{{") && !page.contains("http://") && !page.contains("https://"));
    }
}
