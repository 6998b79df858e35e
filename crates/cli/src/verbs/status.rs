//! `sessile status`: shows the state of a node and its cluster.

use clap::Args;
use serde_json::Value;

use super::apps;
use crate::admin_client::NodeArgument;
use crate::failure::Failure;
use crate::{output, runtime};

/// Arguments of `status`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    node: NodeArgument,
}

impl Status {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let client = self.node.client()?;
        let mut status = runtime::run(async { Ok(client.get("/status").await?) })?;
        // A joining node has no applications yet.
        let deployed = runtime::run(async { Ok(client.get("/apps").await?) }).unwrap_or_default();
        status["apps"] = deployed["apps"].clone();
        if output::is_json() {
            return output::document(&status);
        }
        output::print(&shown(&status))
    }
}

/// The status for people.
fn shown(status: &Value) -> String {
    let word = |key: &str| status[key].as_str().unwrap_or("?").to_owned();
    let offered = if status["offered"] == false { ", not offered to balancers" } else { "" };
    let rewriting = if status["rewrites_route"] == false { ", route rewriting off" } else { "" };
    let mut text = format!(
        "{} in cluster {}: {}{offered}{rewriting}\n\
         sessions {}, at risk {}; waiting to be sent {} bytes, for {} ms\n",
        word("name"),
        word("cluster"),
        word("state"),
        status["sessions"],
        status["sessions_at_risk"],
        status["queue_bytes"],
        status["queue_age_ms"],
    );
    let transfer = &status["last_transfer"];
    if transfer.is_object() {
        text.push_str(&format!(
            "state received: {} sessions in {} ms\n",
            transfer["sessions"], transfer["elapsed_ms"]
        ));
    }
    let store = &status["store"];
    if store.is_object() {
        text.push_str(&format!(
            "store {}: {} sessions not saved, for {} ms; {} swapped out\n",
            store["name"].as_str().unwrap_or("?"),
            store["unsaved"],
            store["lag_ms"],
            store["swapped_out"],
        ));
    }
    text.push_str(&members(&status["members"]));
    if status["apps"].as_array().is_some_and(|apps| !apps.is_empty()) {
        text.push_str(&format!("\n{}", apps::table(&status["apps"])));
    }
    for warning in status["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        text.push_str(&format!("warning: {warning}\n"));
    }
    text
}

fn members(members: &Value) -> String {
    let mut text =
        format!("\n{:<16} {:<11} {:<22} {:<11} SILENT\n", "MEMBER", "STATE", "ADDRESS", "INCARNATION");
    for member in members.as_array().into_iter().flatten() {
        let cell = |key: &str| member[key].as_str().unwrap_or("?").to_owned();
        let silent =
            if member["self"] == true { "this node".to_owned() } else { format!("{} ms", member["age_ms"]) };
        let (name, state, address, incarnation) =
            (cell("name"), cell("state"), cell("address"), cell("incarnation"));
        text.push_str(&format!("{name:<16} {state:<11} {address:<22} {incarnation:<11} {silent}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn status_lists_members_and_warnings() {
        let member = json!({ "name": "tc01", "state": "ready", "address": "127.0.0.1:4001", "incarnation": "0000000a",
            "age_ms": 0, "self": true });
        let status = json!({ "name": "tc01", "cluster": "sample", "state": "ready", "offered": false,
            "rewrites_route": true, "sessions": 3, "sessions_at_risk": 1, "queue_bytes": 0, "queue_age_ms": 0,
            "last_transfer": { "sessions": 3, "elapsed_ms": 12 }, "members": [member],
            "apps": [{ "path": "/shop", "version": "2", "digest": "0123456789abcdef", "since_ms": 0, "nodes": [
                { "name": "tc01", "digest": "0123456789abcdef", "agrees": true },
                { "name": "tc02", "digest": "fedcba9876543210", "agrees": false }] }],
            "warnings": ["members disagree"] });
        let shown = super::shown(&status);
        for part in [
            "tc01 in cluster sample: ready, not offered to balancers\n",
            "sessions 3, at risk 1;",
            "state received: 3 sessions in 12 ms",
            "this node",
            "/shop            2          0123456789ab  1970-01-01T00:00:00Z  tc01, tc02: fedcba987654",
            "warning: members disagree",
        ] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
    }
}
