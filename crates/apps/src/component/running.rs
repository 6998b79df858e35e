//! Components at work, on wasmtime.
//!
//! The way of a request: `turns` waits for those before it on the same session; the session layer opens the session;
//! `application` finds room (`admission`) and hands the request to a task on the guests' own threads (`threads`), which
//! takes an instance (`instances`) and calls it (`call`). The instance sees the world through `guest`: its session
//! (`session_import`), what it may call (`egress`), its output (`log_lines`). Its head goes back to the layer, which commits.
//! A `Failure` goes past the layer, so that nothing is committed.
//!
//! `host` has what all components share: the engine, the compiler, `compiled` code on disk. Native code is loaded by
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
mod session_import;
mod threads;
mod turns;

use super::{error, limits, settings};

pub use application::Component;
pub use host::ComponentHost;
