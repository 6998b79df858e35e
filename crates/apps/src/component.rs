//! WebAssembly applications: components that export `wasi:http/incoming-handler@0.2` and may import
//! `sessile:web/session`, the session of the request.
//!
//! A [`ComponentHost`], one a process, makes a [`Component`] of the bytes of a file; its [`router`](Component::router) serves
//! requests. What runs is compiled when the program was built with the feature `wasm`; without it
//! [`prepare`](ComponentHost::prepare) says so. `docs/applications.md` is for those who write applications.
//!
//! What takes wasmtime is in `running`, which has the way of a request; without it, `absent` stands in its place.
//!
//! Must not know: archives, manifests, other nodes. Next: [`ComponentSettings`].

mod error;
mod limits;
pub(crate) mod measure;
mod settings;

#[cfg(not(feature = "wasm"))]
mod absent;
#[cfg(feature = "wasm")]
mod running;

#[cfg(not(feature = "wasm"))]
pub use absent::{Component, ComponentHost};
pub use error::ComponentError;
pub use limits::Limits;
#[cfg(feature = "wasm")]
pub use running::{Component, ComponentHost};
pub use settings::{ComponentSettings, HostPort};
