//! The way from a request to stop to whoever runs the node, and the outcome back to who asked.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tokio::sync::watch;

use super::AdminPort;
use super::refusal::Refusal;

/// How a stop ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Nothing was left to do.
    drained: bool,
    /// What was left, in words; empty when nothing was.
    left: String,
}

impl Outcome {
    /// No session depends on the node any more.
    #[must_use]
    pub fn drained() -> Self {
        Self { drained: true, left: String::new() }
    }

    /// The time to drain ended first.
    #[must_use]
    pub fn unfinished(left: String) -> Self {
        Self { drained: false, left }
    }
}

/// The admin port's side.
pub(super) struct Stopping {
    is_heard: AtomicBool,
    asked: watch::Sender<bool>,
    outcome: watch::Sender<Option<Outcome>>,
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

/// The side of whoever runs the node, from [`AdminPort::stop_requests`].
#[derive(Debug, Clone)]
pub struct StopRequests {
    asked: watch::Receiver<bool>,
    outcome: watch::Sender<Option<Outcome>>,
}

impl StopRequests {
    /// Ready once somebody asked at the admin port for a stop.
    pub async fn asked(&mut self) {
        if self.asked.wait_for(|asked| *asked).await.is_err() {
            // The port is no more: nobody can ask.
            std::future::pending::<()>().await;
        }
    }

    /// Tells everybody who asked how it ended. To be called before the port closes.
    pub fn done(&self, outcome: Outcome) {
        self.outcome.send_replace(Some(outcome));
    }
}

/// Answers when the node has left: the time to drain is the node's.
pub(super) async fn stop(State(port): State<AdminPort>) -> Result<Json<Outcome>, Refusal> {
    let stopping = &port.shared.stopping;
    if !stopping.is_heard.load(Relaxed) {
        return Err(Refusal::NotStoppable);
    }
    let mut outcome = stopping.outcome.subscribe();
    stopping.asked.send_replace(true);
    let told = outcome.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone());
    told.map(Json).ok_or_else(|| Refusal::Failed("the node ended without an outcome".to_owned()))
}
