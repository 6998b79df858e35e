//! Requests that take effect once, however often they are sent: a form submitted twice, a retry after a
//! timeout, a retry that another node gets because the first one died.
//!
//! A request that carries a key ([`keyed_request`]) has its turn on its node ([`key_locks`]), claims the key
//! in its session on all members, and then runs ([`ledger`]). Its answer ([`stored_response`]) is noted in
//! the session, in the same commit as what the handler wrote: there is never one without the other. Whoever
//! sends the key again gets the noted answer.
//!
//! Must not know: the cookie, the network. What it keeps are notes of the session ([`note`]).

mod form;
mod key_locks;
mod keyed_request;
mod ledger;
mod note;
mod partly_read;
mod request;
mod service;
mod stored_response;

pub(crate) use key_locks::KeyLocks;
pub(crate) use ledger::KeyClaim;
pub use service::Idempotent;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tower_layer::Layer;

use super::session::random;

/// Lets a request that carries an idempotency key take effect once in its session; sent again, it gets the
/// answer of the first time, with the header `Idempotent-Replayed: true`. For forms this is the Synchronizer
/// Token, for programs the Idempotent Receiver.
///
/// It goes *inside* the session layer. The key is the value of the header `Idempotency-Key`
/// ([draft-ietf-httpapi-idempotency-key-header]) or, for HTML forms of either encoding, of a hidden field
/// `idempotency_key`, which [`idempotency_key`] makes. It counts in POST, PUT, PATCH and DELETE, and only
/// within one session: a request without a session, or without a key, runs as ever; so does each of an
/// application whose sessions are in their cookies (`keep = "cookie"`), because nobody else could read the
/// note.
///
/// * Done before: the noted answer, if it has at most 8 KiB and ended within two seconds; else 409, which
///   says that it was done.
/// * Running now, here or on another node: waits for its answer, 409 after ten seconds.
/// * The same key with another request (method, path, whole body): 422.
/// * A body of more than [`body_limit`](Self::body_limit) bytes with a key in the header: 413. A form of that
///   size, whose hidden field nobody looks for, runs as ever.
/// * A 5xx whose handler wrote nothing to the session is not noted: sent again, the request runs again. The
///   same after a panic, a client that hung up, and the death of the node before it answered.
///
/// A session remembers the last 16 keys of each node. What a handler does *outside* of the session (a
/// payment, a mail) may have happened when a node died in the middle of it: give the same key to whom it
/// calls.
///
/// ```no_run
/// # use sessile_web as sessile;
/// use axum::{Router, routing::post};
/// use sessile::{IdempotencyLayer, SessionLayer};
///
/// # fn site(sessions: SessionLayer) -> Router {
/// Router::new()
///     .route("/checkout", post(async || "thank you"))
///     .layer(IdempotencyLayer::new())
///     .layer(sessions)
/// # }
/// ```
///
/// [draft-ietf-httpapi-idempotency-key-header]: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
#[derive(Clone, Copy, Debug)]
pub struct IdempotencyLayer {
    body_limit: usize,
}

/// The largest body of a request with a key unless it is said: as axum's extractors take.
const BODY_LIMIT: usize = 2 << 20;

impl IdempotencyLayer {
    /// The layer, for bodies of up to 2 MiB.
    pub fn new() -> Self {
        Self { body_limit: BODY_LIMIT }
    }

    /// The largest body of a request with a key, in bytes. It is held in memory while it is compared.
    #[must_use]
    pub fn body_limit(self, bytes: usize) -> Self {
        Self { body_limit: bytes }
    }
}

impl Default for IdempotencyLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for IdempotencyLayer {
    type Service = Idempotent<S>;

    fn layer(&self, inner: S) -> Idempotent<S> {
        Idempotent::new(inner, self.body_limit)
    }
}

/// A new key, for the hidden field `idempotency_key` of a form: 22 characters that fit into HTML as they are.
pub fn idempotency_key() -> String {
    URL_SAFE_NO_PAD.encode(random())
}
