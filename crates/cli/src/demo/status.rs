//! The command `status`: each node as it describes itself, and as the balancer sees it.

use serde_json::Value;

use crate::admin_client::AdminClient;
use crate::local_cluster::{LocalCluster, NodePlan};

/// A line for each node.
pub(super) async fn table(cluster: &LocalCluster) -> String {
    let mut text = row(["NODE", "STATE", "SESSIONS", "AT RISK", "REQUESTS", "BALANCER", "MEMBERS"]);
    for node in &cluster.plan.nodes {
        let seen = cluster.monitor.status().into_iter().find(|seen| seen.name == node.name);
        let (requests, offered) =
            seen.map(|seen| (seen.requests, seen.state.to_string())).unwrap_or_default();
        let told = own_status(cluster, node).await;
        let state = told.as_ref().map_or("not running", |told| told["state"].as_str().unwrap_or("?"));
        let count = |key: &str| told.as_ref().map_or_else(|| "-".to_owned(), |told| told[key].to_string());
        let (sessions, at_risk) = (count("sessions"), count("sessions_at_risk"));
        let members = told.as_ref().map(members).unwrap_or_default();
        text += &row([node.name, state, &sessions, &at_risk, &requests.to_string(), &offered, &members]);
    }
    text
}

/// What the node says at its admin port; `None` if it does not run or does not answer.
async fn own_status(cluster: &LocalCluster, node: &NodePlan) -> Option<Value> {
    cluster.process(node.name)?;
    let client = AdminClient::of(&cluster.place().join(format!("{}.toml", node.name))).ok()?;
    client.get("/status").await.ok()
}

fn members(told: &Value) -> String {
    let names = told["members"].as_array().into_iter().flatten().filter_map(|member| member["name"].as_str());
    names.collect::<Vec<_>>().join(" ")
}

fn row([node, state, sessions, at_risk, requests, balancer, members]: [&str; 7]) -> String {
    format!("  {node:<6} {state:<12} {sessions:>8} {at_risk:>8} {requests:>9}  {balancer:<9} {members}\n")
}
