//! WebAssembly applications: components that export `wasi:http/incoming-handler@0.2` and may import
//! `sessile:web/session`, the session of the request.
//!
//! A [`ComponentHost`], one a process, makes a [`Component`] of the bytes of a file; its [`router`](Component::router) serves
//! requests. What runs is compiled when the program was built with the feature `wasm`; without it
//! [`prepare`](ComponentHost::prepare) says so. `docs/applications.md` is for those who write applications.
//!
//! The way of a request: `turns` waits for those before it on the same session; the session layer opens the session;
//! `application` finds room (`admission`) and hands the request to a task on the guests' own threads (`threads`), which
//! takes an instance (`instances`) and calls it (`call`). The instance sees the world through `guest`: its session
//! (`session_import`), what it may call (`egress`), its output (`log_lines`). Its head goes back to the layer, which commits.
//! A `Failure` goes past the layer, so that nothing is committed.
//!
//! `host` has what all components share: the engine, the compiler, `compiled` code on disk. Native code is loaded by
//! `native_code`, the only module of this workspace with `unsafe`.
//!
//! Must not know: archives, manifests, other nodes. Next: [`ComponentSettings`].

mod error;
mod limits;
pub(crate) mod measure;
mod settings;

#[cfg(not(feature = "wasm"))]
mod absent;
#[cfg(feature = "wasm")]
mod admission;
#[cfg(feature = "wasm")]
mod application;
#[cfg(feature = "wasm")]
mod call;
#[cfg(feature = "wasm")]
mod compiled;
#[cfg(feature = "wasm")]
mod compiler;
#[cfg(feature = "wasm")]
mod cookies;
#[cfg(feature = "wasm")]
mod egress;
#[cfg(feature = "wasm")]
mod engine;
#[cfg(feature = "wasm")]
mod failure;
#[cfg(feature = "wasm")]
mod guest;
#[cfg(feature = "wasm")]
mod host;
#[cfg(feature = "wasm")]
mod instances;
#[cfg(feature = "wasm")]
mod log_lines;
#[cfg(feature = "wasm")]
mod native_code;
#[cfg(feature = "wasm")]
mod session_import;
#[cfg(feature = "wasm")]
mod threads;
#[cfg(feature = "wasm")]
mod turns;

#[cfg(not(feature = "wasm"))]
pub use absent::{Component, ComponentHost};
#[cfg(feature = "wasm")]
pub use application::Component;
pub use error::ComponentError;
#[cfg(feature = "wasm")]
pub use host::ComponentHost;
pub use limits::Limits;
pub use settings::{ComponentSettings, HostPort};
