//! The web side: a tower layer that opens a session for each request, hands it to the application, commits
//! what the application changed and lets the response go when the copies are where they must be.
//!
//! The way of a request, file by file: `service` receives it; `exchange` passes the gate, reads the
//! `cookie`, opens the session and puts a `Session` into the request; the application
//! reads and writes its `draft`; `exchange` commits that, waits for the receipt and writes the cookie
//! into the response.
//!
//! Must not know: members, frames, sockets. It reaches the node through [`sessile_node::host`] alone.

mod accounting;
mod answers;
mod app;
mod attribute_warnings;
mod borrows;
mod browser;
mod cache;
mod client_cipher;
mod client_session;
mod codec;
mod commit_scope;
mod controls;
mod cookie;
mod cookie_age;
mod cookie_names;
mod dead_cookies;
mod detached;
mod detached_sessions;
mod draft;
mod error;
mod exchange;
mod extract;
mod filter;
mod idempotency;
mod in_place;
pub mod json_store;
mod layer;
mod lifecycle;
mod local;
mod opening;
mod request_facts;
mod same_origin;
mod service;
mod session;
mod sessions;
mod set_cookie;
mod settings;
mod state;
mod statistics;
#[cfg(test)]
mod tests;

pub use accounting::{Cost, Costs};
pub use browser::Browser;
pub use controls::Controls;
pub(crate) use cookie::CookieKeys;
pub(crate) use cookie_names::SessionCookieNames;
pub(crate) use dead_cookies::DeadCookies;
pub use detached::DetachedSession;
pub use detached_sessions::DetachedSessions;
pub use error::SessionError;
pub use extract::NoSessionLayer;
pub(crate) use idempotency::KeyLocks;
pub use idempotency::{IdempotencyLayer, Idempotent, idempotency_key};
pub use in_place::AttributeMut;
pub use layer::SessionLayer;
pub use service::SessionService;
pub use sessile_core::SessionKey;
pub use session::Session;
pub use sessions::Sessions;
pub use settings::SessionSettings;
pub use statistics::{Statistics, WriteTimes};
