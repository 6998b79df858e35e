//! The status page for operators.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use sessile_core::NodeState;

use super::AdminPort;
use super::error::AdminPageError;
use super::pages::{MemberEntry, milliseconds};
use crate::Cluster;

/// `/status`.
#[derive(Serialize)]
pub(super) struct Status {
    name: String,
    cluster: String,
    state: &'static str,
    ready: bool,
    /// Whether an operator took the node out of load balancing.
    offered: bool,
    rewrites_route: bool,
    sessions: u64,
    sessions_at_risk: u64,
    queue_bytes: usize,
    queue_age_ms: u64,
    last_transfer: Option<TransferStatus>,
    members: Vec<MemberEntry>,
    warnings: Vec<String>,
    /// The public ids of the secrets in use, the active one first.
    secrets: Vec<String>,
    store: Option<StoreStatus>,
}

#[derive(Serialize)]
struct StoreStatus {
    name: String,
    unsaved: usize,
    lag_ms: u64,
    swapped_out: u64,
}

#[derive(Serialize)]
struct TransferStatus {
    sessions: u64,
    elapsed_ms: u64,
}

pub(super) async fn status(State(port): State<AdminPort>) -> Result<Json<Status>, AdminPageError> {
    Ok(Json(of(port.cluster()?)))
}

fn of(cluster: &Cluster) -> Status {
    let (queue_bytes, queue_age) = cluster.queued();
    let transfer = cluster.last_transfer();
    Status {
        name: cluster.name().to_owned(),
        cluster: cluster.config().cluster.name.clone(),
        state: word(cluster.state()),
        ready: cluster.is_ready(),
        offered: cluster.is_offered(),
        rewrites_route: cluster.rewrites_route(),
        sessions: cluster.session_count(),
        sessions_at_risk: cluster.at_risk(),
        queue_bytes,
        queue_age_ms: milliseconds(queue_age),
        last_transfer: transfer.map(|transfer| TransferStatus {
            sessions: transfer.sessions,
            elapsed_ms: milliseconds(transfer.elapsed),
        }),
        members: cluster.members().into_iter().map(MemberEntry::from).collect(),
        warnings: cluster.warnings(),
        secrets: cluster.secret_ids(),
        store: cluster.store().map(|store| StoreStatus {
            name: store.name,
            unsaved: store.unsaved,
            lag_ms: milliseconds(store.lag),
            swapped_out: store.swapped_out,
        }),
    }
}

fn word(state: NodeState) -> &'static str {
    match state {
        NodeState::Searching => "searching",
        NodeState::Joining => "joining",
        NodeState::Ready => "ready",
        NodeState::Incomplete => "incomplete",
        NodeState::Draining => "draining",
        NodeState::Left => "left",
        NodeState::Refused => "refused",
    }
}
