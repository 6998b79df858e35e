//! WebAssembly applications: components that export `wasi:http/incoming-handler@0.2` and may import
//! `sessile:web/session`, the session of the request.
//!
//! A [`ComponentHost`], one for each process, creates a [`Component`] from the bytes of a file; its
//! [`router`](Component::router) serves requests. Components need the feature `wasm`; without it
//! [`prepare`](ComponentHost::prepare) fails with an explanation. `docs/applications.md` is for authors of
//! applications.
//!
//! `running` needs wasmtime and has the path of a request; without the feature `absent` replaces it.
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
pub use limits::GuestLimits;
#[cfg(feature = "wasm")]
pub use running::{Component, ComponentHost};
pub use settings::{ComponentSettings, EgressTarget};
