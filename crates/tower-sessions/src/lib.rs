//! Sessile's replicated sessions for applications that use [tower-sessions](https://docs.rs/tower-sessions),
//! version 0.15 or, with the feature `v0_14`, 0.14, which axum-login 0.18 and axum-messages 0.8 need. Both
//! may be on.
//!
//! The application keeps its `SessionManagerLayer`, its extractors and its handlers. [`SessileStore`] takes
//! the place of its store, and [`RequestLayer`] goes around all of it:
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use sessile::{Cluster, Config};
//! use sessile_tower_sessions::SessileStore;
//! use tower_sessions::{Session, SessionManagerLayer};
//!
//! async fn visits(session: Session) -> Result<String, String> {
//!     let failed = |error: tower_sessions::session::Error| error.to_string();
//!     let visits = session.get::<u32>("visits").await.map_err(failed)?.unwrap_or_default() + 1;
//!     session.insert("visits", visits).await.map_err(failed)?;
//!     Ok(format!("visit {visits}"))
//! }
//!
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let cluster = Cluster::join(Config::load("tc01.toml")?).await?;
//! let store = SessileStore::new(&cluster.session_layer());
//! let app: Router = Router::new()
//!     .route("/", get(visits))
//!     .layer(SessionManagerLayer::new(store.clone()))
//!     .layer(store.request_layer().with_route("id")); // outermost: added last
//! # Ok(())
//! # }
//! ```
//!
//! * Each entry of a session is an attribute of its own, whatever its name. Requests that change different
//!   ones at the same time both count, wherever they run; [`RequestLayer`] is what makes that possible.
//!   Without it the last save wins.
//! * A deleted session stays deleted: a slower request's save drops its changes and brings nothing back
//!   (`[session] on_ended = "409"` makes it a 500).
//! * A session ends when its `Expiry` says so, counted from the last save as with any store, but on monotonic
//!   clocks: no node's time of day matters. `with_always_save(true)` counts from the last request; a save
//!   that changes nothing is then no more than a touch. `[session] absolute_timeout` holds as well.
//! * `[session] cookie`, `secure`, `same_site` and the replication filter do not apply: the cookie is the
//!   `SessionManagerLayer`'s.
//! * The id in that cookie is its only secret. Logs and admin pages show a key from which the id cannot be
//!   found.
//!
//! `docs/existing-apps.md` in the repository says which integration to choose.

mod layer;
mod store;
mod version;

pub use layer::{RequestLayer, RequestService};
pub use store::{SessileStore, StoreSessionId};
