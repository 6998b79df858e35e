//! Histories of what clients saw, and their verdict.
//!
//! A [`History`] holds the operations of clients and the events of the cluster: processes, cuts, and the
//! copies at the end. [`judge`] finds the promises that it breaks. The simulator, the drill and the rig of
//! test hosts share this code. Unknown facts of a cluster are left out, and the verdict then requires less.
//!
//! A [`Workload`] chooses a client's next operations so that faults become visible. Must not know sockets,
//! clocks or tasks.
//!
//! Next: `knowledge.rs` decides which process must know which operation; `promises/` has one file for each
//! way to break a promise.

mod attribute;
mod cluster;
mod history;
mod knowledge;
mod lines;
mod operation;
mod promises;
mod seeded_rng;
mod verdict;
mod workload;

pub use attribute::{Attribute, Seen, UnknownAttribute};
pub use cluster::{Agreement, Division, Holding, Life};
pub use history::{History, SessionRecord};
pub use knowledge::{ENDING, Knowledge};
pub use lines::{LineError, read, write};
pub use operation::{Action, Operation, OperationOutcome, Settled};
pub use seeded_rng::SeededRng;
pub use verdict::{BrokenPromise, BrokenPromiseKind, Verdict, judge};
pub use workload::Workload;

/// Microseconds since the history began.
pub type Micros = u64;
/// A process of a node, from its start to its end: a restarted node is a new process.
pub type ProcessId = u64;
/// A node, as an index into the sides of a [`Division`].
pub type NodeId = usize;
/// Index of an operation in [`History::operations`].
pub type OperationId = usize;
/// Index of a session in [`History::sessions`].
pub type SessionId = usize;
