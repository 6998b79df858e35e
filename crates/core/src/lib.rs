//! Sessile's replication core.
//!
//! Sessions with timestamped fields, how their copies merge, who has to have them, and how a member that was
//! away catches up: a state machine, [`Node`]. It is given what happened and when, and returns [`Effect`]s.
//!
//! It does not know sockets, tasks, clocks, random numbers, cookies, HTTP or configuration files: it can be
//! run a million times with a seed and give the same answer, which is what the simulator does.
//!
//! Start at [`Node`]; PROTOCOL.md tells the same in words, with the reasons: "rule 4.3" in a
//! comment is a rule of that page.

#[macro_use]
mod planting;

mod ack_set;
mod changes;
pub mod conformance;
mod effect;
mod fields;
mod fingerprint;
mod histogram;
mod instant;
mod key;
mod marks;
mod narrow;
mod node;
mod notice;
#[cfg(feature = "planted")]
mod planted;
mod population;
mod roster;
mod secrets;
mod session;
mod settings;
mod shard;
mod stored_session;
mod table;
mod timestamp;
mod tombstone;
mod value;
mod version;
mod wire;

pub use ack_set::{AckMembers, AckSet, AllMembers, Candidate, CommittedSession};
pub use changes::{Absent, Changes, Opened, Opening, Proof, Refusal};
pub use effect::{
    AppId, Effect, Effects, EndReason, Event, FrameSink, NotSent, NotTaken, QuestionId, Receipt, Removal,
    Ticket,
};
pub use fields::{BadName, FieldName, FieldRef, Fields, MAX_NAME_BYTES, Merge, NameRef, ValueRef};
pub use histogram::Histogram;
pub use instant::Instant;
pub use key::{KEY_BYTES, SHARDS, Secret, SessionKey};
pub use node::{
    Closed, Counters, Gate, Glance, MemberRow, Node, NodeState, PeerInfo, Resident, Saveable, SessionRow,
    Survey,
};
pub use notice::{Notice, SessionChange};
#[cfg(feature = "planted")]
pub use planted::{BOUNDS, Plant, Reached, SmallBounds, reached, set_small_bounds};
pub use settings::{Ack, Bounds, CLOCK_DRIFT_PPM, Settings, Timing};
pub use shard::{Backlog, NegativeAcks, Restored};
pub use stored_session::StoredSession;
pub use timestamp::{Incarnation, Timestamp};
pub use value::{Codec, Value};
pub use version::Version;
pub use wire::{FrameKind, Malformed, Message, Position};
