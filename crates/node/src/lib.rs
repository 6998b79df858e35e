//! The driver: the only place that reads the clock, spawns tasks and executes what the core decided.
//!
//! It joins the replication core (`sessile_core`) with the group's links (`sessile_group`). The way of a
//! change, file by file: a request commits it through [`host`], once `sending` lets it; `engine` calls the
//! core and carries out its effects; `frame_sender` takes the frames during the call, in their order; on the
//! other side `tasks` read them and that engine takes them; the acknowledgement comes back the same way and
//! wakes who waits in `waiters`. [`Seams`] take parts of the user's own; [`messages`] are what applications
//! say to each other beside the sessions.
//!
//! [`ClusterNode`] is the handle; `sessile` puts session layers around it. Must not know: cookies, HTTP, what
//! a frame says.

#[cfg(feature = "by_hand")]
mod by_hand;
mod clock;
mod cluster_node;
mod dials;
mod doctor;
mod engine;
mod error;
mod event_log;
mod find;
mod frame_sender;
pub mod host;
mod listen;
mod listeners;
mod local_values;
pub mod messages;
mod metrics;
mod operate;
mod parts;
mod permits;
mod persist;
#[cfg_attr(not(feature = "planted"), path = "unplanted.rs")]
mod planted;
mod poison;
mod pressure;
mod seams;
mod sending;
mod settings_check;
mod start;
mod stop;
pub mod store;
mod tasks;
mod view;
mod waiters;

#[cfg(feature = "by_hand")]
pub use by_hand::NodeByHand;
pub use cluster_node::ClusterNode;
pub use doctor::{DoctorFinding, DoctorReport, examine};
pub use error::{DrainIncomplete, JoinError, MemberBacklog};
pub use listen::{Listening, Notification, Scope};
pub use metrics::Exposition;
pub use operate::{Resync, ResyncError, TransferView};
pub use parts::{Gauge, PartReport};
pub use persist::StoreView;
#[cfg(feature = "planted")]
pub use planted::Planted;
pub use seams::{OpenWith, Seams};
pub use view::{MemberView, SessionView};
