//! Running components on wasmtime.
//!
//! Path of a request: `session_locks` waits for earlier requests of the same session; the session layer opens
//! the session; `application` gets a permit (`admission`) and passes the request to a task on the guests' own
//! threads (`threads`), which takes an instance (`instances`) and calls it (`call`). The host functions of an
//! instance are in `guest`: its session (`session_import`), outgoing calls (`egress`, `reachable`), its
//! output (`log_lines`). The response head goes back to the layer, which commits. A `GuestFailure` bypasses
//! the layer, so nothing is committed.
//!
//! `host` has the shared parts: the engine, the compiler, `compiled` code on disk. Native code is loaded by
//! `native_code`, the only module of this workspace with `unsafe`.

mod admission;
mod application;
mod call;
mod compiled;
mod compiler;
mod cookies;
mod egress;
mod engine;
mod failure;
mod guest;
mod host;
mod instances;
mod log_lines;
mod native_code;
mod reachable;
mod session_import;
mod session_locks;
mod threads;

use super::{error, limits, settings};

pub use application::Component;
pub use host::ComponentHost;
