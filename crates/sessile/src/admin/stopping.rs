//! Passes stop requests to the program that runs the node, and the outcome back to the requesting clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::AdminPort;
use super::error::AdminPageError;

/// The query of a stop.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct StopQuery {
    /// Stop even if sessions go with the node.
    force: bool,
}

/// How a stop ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StopOutcome {
    /// Whether the node stopped: not if sessions would have gone with it, unless that was forced.
    stopped: bool,
    /// Sessions that went, or would have gone, with the node: no other member holds them, and no store.
    only_here: u64,
    /// Whether no work was left.
    drained: bool,
    /// The remaining work as text; empty if there was none.
    left: String,
}

impl StopOutcome {
    /// No session depends on the node any more.
    #[must_use]
    pub fn drained() -> Self {
        Self { stopped: true, only_here: 0, drained: true, left: String::new() }
    }

    /// Nothing was left to send, and so many sessions went with the node, as was asked for.
    #[must_use]
    pub fn with_sessions(only_here: u64) -> Self {
        Self { only_here, ..Self::drained() }
    }

    /// The node goes on: so many sessions would have gone with it.
    fn refused(only_here: u64) -> Self {
        Self { stopped: false, only_here, drained: false, left: String::new() }
    }

    /// The drain time was over before all work was done.
    #[must_use]
    pub fn unfinished(left: String) -> Self {
        Self { drained: false, left, ..Self::drained() }
    }
}

/// The admin port's side.
pub(super) struct Stopping {
    is_heard: AtomicBool,
    asked: watch::Sender<bool>,
    is_forced: Arc<AtomicBool>,
    outcome: watch::Sender<Option<StopOutcome>>,
}

impl Default for Stopping {
    fn default() -> Self {
        Self {
            is_heard: AtomicBool::new(false),
            asked: watch::Sender::new(false),
            is_forced: Arc::default(),
            outcome: watch::Sender::new(None),
        }
    }
}

impl Stopping {
    pub(super) fn requests(&self) -> StopRequests {
        self.is_heard.store(true, Relaxed);
        StopRequests {
            asked: self.asked.subscribe(),
            is_forced: Arc::clone(&self.is_forced),
            outcome: self.outcome.clone(),
        }
    }
}

/// The side of the program that runs the node, from [`AdminPort::stop_requests`].
#[derive(Debug, Clone)]
pub struct StopRequests {
    asked: watch::Receiver<bool>,
    is_forced: Arc<AtomicBool>,
    outcome: watch::Sender<Option<StopOutcome>>,
}

impl StopRequests {
    /// Ready when a client requested a stop at the admin port.
    pub async fn asked(&mut self) {
        if self.asked.wait_for(|asked| *asked).await.is_err() {
            // The port is closed: no request can come.
            std::future::pending::<()>().await;
        }
    }

    /// Whether the client takes it into account that sessions go with the node.
    #[must_use]
    pub fn is_forced(&self) -> bool {
        self.is_forced.load(Relaxed)
    }

    /// Answers all stop requests with the outcome. Call it before the port closes.
    pub fn done(&self, outcome: StopOutcome) {
        self.outcome.send_replace(Some(outcome));
    }
}

/// Answers when the node has left; the node's drain time applies. A node with which sessions would go does
/// not stop.
pub(super) async fn stop(
    State(port): State<AdminPort>,
    query: Result<Query<StopQuery>, QueryRejection>,
) -> Result<Json<StopOutcome>, AdminPageError> {
    let wrong = |_| AdminPageError::BadQuery("write force=true, or nothing".to_owned());
    let Query(StopQuery { force }) = query.map_err(wrong)?;
    let stopping = &port.shared.stopping;
    if !stopping.is_heard.load(Relaxed) {
        return Err(AdminPageError::NotStoppable);
    }
    // A node that has not started its cluster yet has no sessions.
    if let (Ok(cluster), false) = (port.cluster(), force) {
        let config = cluster.config();
        let only_here =
            cluster.only_here_within(config.membership.drop_time.min(config.node.drain_time)).await;
        if only_here > 0 {
            return Ok(Json(StopOutcome::refused(only_here)));
        }
    }
    stopping.is_forced.fetch_or(force, Relaxed);
    let mut outcome = stopping.outcome.subscribe();
    stopping.asked.send_replace(true);
    let outcome = outcome.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone());
    outcome.map(Json).ok_or_else(|| AdminPageError::Failed("the node ended without an outcome".to_owned()))
}
