//! Sessile's replicated sessions for applications that use [actix-session](actix_session).
//!
//! The application keeps its `SessionMiddleware`, its `Session` and its handlers. [`SessileStore`] takes the
//! place of its store, and [`RequestScope`] goes around all of it:
//!
//! ```no_run
//! use actix_session::{Session, SessionMiddleware};
//! use actix_web::cookie::Key;
//! use actix_web::{App, HttpServer, web};
//! use sessile::{Cluster, Config};
//! use sessile_actix::SessileStore;
//!
//! async fn visits(session: Session) -> actix_web::Result<String> {
//!     let visits = session.get::<u32>("visits")?.unwrap_or_default() + 1;
//!     session.insert("visits", visits)?;
//!     Ok(format!("visit {visits}"))
//! }
//!
//! # async fn serve(key: Key) -> Result<(), Box<dyn std::error::Error>> {
//! let cluster = Cluster::join(Config::load("tc01.toml")?).await?;
//! let store = SessileStore::new(&cluster.session_layer());
//! HttpServer::new(move || {
//!     App::new()
//!         .route("/", web::get().to(visits))
//!         .wrap(SessionMiddleware::new(store.clone(), key.clone())) // the same key on every node
//!         .wrap(store.request_scope().with_route("id")) // outermost: wrapped last
//! })
//! .bind("127.0.0.1:9080")?
//! .run()
//! .await?;
//! # Ok(())
//! # }
//! ```
//!
//! * Each entry of a session is an attribute of its own. Requests that change different ones at the same time
//!   both count, wherever they run; [`RequestScope`] is what makes that possible. Without it the last one
//!   wins.
//! * A purged session stays so: a slower request drops its changes and brings nothing back
//!   (`[session] on_ended = "409"` makes it a 500).
//! * A session ends when its time to live is over, counted as the middleware's `TtlExtensionPolicy` says, on
//!   monotonic clocks. `[session] absolute_timeout` holds as well.
//! * `[session] cookie`, `secure`, `same_site` and the replication filter do not apply: the cookie is the
//!   `SessionMiddleware`'s.
//! * The key in that cookie is its only secret. Logs and admin pages show another one, from which it cannot
//!   be found.
//!
//! The cluster must be joined on a runtime that lives as long as the server, as that of `#[actix_web::main]`
//! does. `docs/existing-apps.md` in the repository says which integration to choose.

mod scope;
mod store;

pub use scope::{RequestScope, RequestScopeService};
pub use store::SessileStore;
