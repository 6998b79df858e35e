//! Passes stop requests to the program that runs the node, and the outcome back to the requesting clients.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tokio::sync::watch;

use super::AdminPort;
use super::error::AdminPageError;

/// How a stop ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StopOutcome {
    /// Whether no work was left.
    drained: bool,
    /// The remaining work as text; empty if there was none.
    left: String,
}

impl StopOutcome {
    /// No session depends on the node any more.
    #[must_use]
    pub fn drained() -> Self {
        Self { drained: true, left: String::new() }
    }

    /// The drain time was over before all work was done.
    #[must_use]
    pub fn unfinished(left: String) -> Self {
        Self { drained: false, left }
    }
}

/// The admin port's side.
pub(super) struct Stopping {
    is_heard: AtomicBool,
    asked: watch::Sender<bool>,
    outcome: watch::Sender<Option<StopOutcome>>,
}

impl Default for Stopping {
    fn default() -> Self {
        Self {
            is_heard: AtomicBool::new(false),
            asked: watch::Sender::new(false),
            outcome: watch::Sender::new(None),
        }
    }
}

impl Stopping {
    pub(super) fn requests(&self) -> StopRequests {
        self.is_heard.store(true, Relaxed);
        StopRequests { asked: self.asked.subscribe(), outcome: self.outcome.clone() }
    }
}

/// The side of the program that runs the node, from [`AdminPort::stop_requests`].
#[derive(Debug, Clone)]
pub struct StopRequests {
    asked: watch::Receiver<bool>,
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

    /// Answers all stop requests with the outcome. Call it before the port closes.
    pub fn done(&self, outcome: StopOutcome) {
        self.outcome.send_replace(Some(outcome));
    }
}

/// Answers when the node has left; the node's drain time applies.
pub(super) async fn stop(State(port): State<AdminPort>) -> Result<Json<StopOutcome>, AdminPageError> {
    let stopping = &port.shared.stopping;
    if !stopping.is_heard.load(Relaxed) {
        return Err(AdminPageError::NotStoppable);
    }
    let mut outcome = stopping.outcome.subscribe();
    stopping.asked.send_replace(true);
    let outcome = outcome.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone());
    outcome.map(Json).ok_or_else(|| AdminPageError::Failed("the node ended without an outcome".to_owned()))
}
