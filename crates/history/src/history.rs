//! One run: the operations of all clients and the events of the cluster.

use crate::{Agreement, Division, Holding, Life, Micros, NodeId, Operation, OperationId, ProcessId, Seen};

use serde::{Deserialize, Serialize};

/// A session of the clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    /// Its name in the cluster; never its secret.
    pub key: String,
    /// The expected value of its canary.
    pub canary: u64,
    /// The operation that created it.
    pub created_by: OperationId,
    /// Time at which a node first reported its end, if observed; from then on nothing is required of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Micros>,
}

/// One run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Responses are sent before their changes are acknowledged (mode `async`).
    pub asynchronous: bool,
    /// The names of the nodes.
    pub nodes: Vec<String>,
    /// All sessions.
    pub sessions: Vec<SessionRecord>,
    /// All operations, in the order in which they began.
    pub operations: Vec<Operation>,
    /// All processes that served.
    pub lives: Vec<Life>,
    /// All intervals in which the cluster may have been divided, in order.
    pub divisions: Vec<Division>,
    /// All intervals in which its nodes certainly agreed, in order.
    pub agreements: Vec<Agreement>,
    /// The sessions of each process after the last fault was healed.
    pub holdings: Vec<Holding>,
}

impl History {
    /// The process of that number.
    pub fn life(&self, process: ProcessId) -> Option<&Life> {
        self.lives.iter().find(|life| life.process == process)
    }

    /// The name of a process's node.
    pub fn node_of(&self, process: Option<ProcessId>) -> String {
        let node: Option<NodeId> = process.and_then(|process| self.life(process)).map(|life| life.node);
        node.and_then(|node| self.nodes.get(node)).cloned().unwrap_or_else(|| "-".to_owned())
    }

    /// Describes an operation in one line.
    pub fn describe(&self, id: OperationId) -> String {
        let Some(operation) = self.operations.get(id) else { return format!("operation {id}") };
        let mut line = format!(
            "operation {id} of client {} at {}, {} to {}: {} → {:?}",
            operation.client,
            self.node_of(operation.process),
            seconds(Some(operation.began)),
            seconds(operation.ended),
            operation.action,
            operation.outcome,
        );
        if let Some(settled) = operation.settled {
            line += &format!(", {} copies", settled.copies);
        }
        if let Some(seen) = &operation.seen {
            line += &format!(", saw {}", listed(seen));
        }
        line
    }
}

/// Formats a moment.
pub(crate) fn seconds(at: Option<Micros>) -> String {
    at.map_or_else(|| "never".to_owned(), |at| format!("{:.6} s", at as f64 / 1e6))
}

fn listed(seen: &Seen) -> String {
    let seen: Vec<_> = seen.iter().map(|(name, value)| format!("{name}={value}")).collect();
    seen.join(" ")
}
