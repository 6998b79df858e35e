//! What clients saw, and whether it may be.
//!
//! A [`History`] holds the operations of clients and what became of the cluster meanwhile: processes that came and
//! went, cuts, the copies at the end. [`judge`] says which promises it breaks. The simulator, the drill and the rig
//! of test hosts are judged by this same code; what they do not know of their cluster they leave out, and the
//! verdict then demands less.
//!
//! A [`Workload`] says what a client does next, so that its history shows what it must. Must not know a socket, a
//! clock or a task.
//!
//! Next: `knowledge.rs` decides who must know what; `promises/` has one file for each way to break a promise.

mod attribute;
mod cluster;
mod dice;
mod history;
mod knowledge;
mod lines;
mod operation;
mod promises;
mod verdict;
mod workload;

pub use attribute::{Attribute, Seen, UnknownAttribute};
pub use cluster::{Division, Harmony, Holding, Life};
pub use dice::Dice;
pub use history::{History, Session};
pub use knowledge::{ENDING, Knowledge};
pub use lines::{LineError, read, write};
pub use operation::{Action, Operation, Outcome, Settled};
pub use verdict::{Finding, Kind, Verdict, judge};
pub use workload::Workload;

/// Microseconds since the history began.
pub type Micros = u64;
/// A process of a node, from its start to its end: one that returns is another one.
pub type ProcessId = u64;
/// A node, as an index into the sides of a [`Division`]: a process that returns is on the same one.
pub type NodeId = usize;
/// Index of an operation in [`History::operations`].
pub type OperationId = usize;
/// Index of a session in [`History::sessions`].
pub type SessionId = usize;
