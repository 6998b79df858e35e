//! The outcome of a request at each node, in words for operators.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::Dispatch;
use crate::backend::{Backend, BackendState};

/// Why nodes that were up were not asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotTried {
    /// The request was not sent again.
    NoRetry,
    /// None of them could take it.
    NoNode,
}

impl Dispatch<'_> {
    /// The sum of it, then a line for each node.
    pub(super) fn describe(&self, sum: &str, not_tried: NotTried) -> String {
        let mut text = sum.to_owned();
        for node in self.order.pool.nodes() {
            let tried = self.attempts.iter().find(|(tried, _)| Arc::ptr_eq(tried, &node));
            // Writing to a string does not fail.
            let _ = match tried {
                Some((_, failure)) => write!(text, "\n{}: {failure}", node.name),
                None => write!(text, "\n{}: not tried, {}", node.name, why_not(&node, not_tried)),
            };
        }
        text
    }
}

fn why_not(node: &Backend, not_tried: NotTried) -> String {
    match (node.state(), not_tried) {
        (BackendState::Up, NotTried::NoRetry) => "because the request was not sent again".into(),
        (BackendState::Up, NotTried::NoNode) if node.is_full() => {
            format!("it has {} requests, as many as it may", node.active_count())
        }
        (BackendState::Up, NotTried::NoNode) if node.weight.load(Relaxed) == 0 => {
            "it has weight 0 and keeps only its own sessions".into()
        }
        (BackendState::Up, NotTried::NoNode) => "it came up too late".into(),
        (state, _) => format!("it is {state} ({})", node.last_change().reason),
    }
}
