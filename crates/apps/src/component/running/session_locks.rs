//! Serialises requests of one session, each from the opening of the session to its commit: a request reads
//! the writes of the previous one. It must be outside of the session layer, which opens the session.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use parking_lot::Mutex;
use tokio::sync::{OwnedMutexGuard, Semaphore};

use super::cookies;
use super::failure::GuestFailure;
use super::limits::GuestLimits;

/// The session locks of one application on this node.
pub(super) struct SessionLocks {
    /// The session cookie's name. Sessions are identified by the cookie's value without the route.
    cookie: String,
    sessions: Mutex<HashMap<String, Lock>>,
    waiting: Semaphore,
    patience: Duration,
}

type Lock = Arc<tokio::sync::Mutex<()>>;

/// The lock of one request. The last one of a session removes the session's entry.
struct SessionLockGuard<'t> {
    locks: &'t SessionLocks,
    session: &'t str,
    lock: Option<Lock>,
    held: Option<OwnedMutexGuard<()>>,
}

impl SessionLocks {
    pub(super) fn new(cookie: &str, limits: &GuestLimits) -> Self {
        Self {
            cookie: cookie.to_owned(),
            sessions: Mutex::default(),
            waiting: Semaphore::new(limits.queue),
            patience: limits.request_time,
        }
    }

    async fn wait<'t>(&'t self, session: &'t str) -> Result<SessionLockGuard<'t>, GuestFailure> {
        let lock = Arc::clone(self.sessions.lock().entry(session.to_owned()).or_default());
        let mut turn = SessionLockGuard { locks: self, session, lock: Some(Arc::clone(&lock)), held: None };
        if let Ok(held) = Arc::clone(&lock).try_lock_owned() {
            turn.held = Some(held);
            return Ok(turn);
        }
        let _place = self.waiting.try_acquire().map_err(|_| GuestFailure::Busy)?;
        let held = tokio::time::timeout(self.patience, lock.lock_owned()).await;
        turn.held = Some(held.map_err(|_| GuestFailure::Busy)?);
        Ok(turn)
    }
}

impl Drop for SessionLockGuard<'_> {
    fn drop(&mut self) {
        self.held = None;
        let mut sessions = self.locks.sessions.lock();
        self.lock = None;
        if sessions.get(self.session).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            sessions.remove(self.session);
        }
    }
}

/// Passes a request on when it holds the session's lock. A request without a session cookie does not wait.
pub(super) async fn one_by_one(
    State(locks): State<Arc<SessionLocks>>,
    request: Request,
    next: Next,
) -> Response {
    let cookie = cookies::value(request.headers(), &locks.cookie);
    let session = cookie.map(|value| value.rsplit_once('.').map_or(value, |(sealed, _)| sealed).to_owned());
    let Some(session) = session else { return next.run(request).await };
    match locks.wait(&session).await {
        Ok(_turn) => next.run(request).await,
        Err(failure) => failure.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locks(queue: usize) -> SessionLocks {
        SessionLocks::new(
            "sid",
            &GuestLimits { queue, request_time: Duration::from_millis(50), ..GuestLimits::default() },
        )
    }

    #[tokio::test]
    async fn requests_wait_only_for_their_own_session() {
        let locks = locks(1);
        let (one, other) = (locks.wait("a").await, locks.wait("b").await);
        assert!(one.is_ok() && other.is_ok());
        assert!(matches!(locks.wait("a").await, Err(GuestFailure::Busy)), "waiting requests time out");
        assert_eq!(locks.sessions.lock().len(), 2);
        drop((one, other));
        assert!(locks.wait("a").await.is_ok());
        assert!(locks.sessions.lock().is_empty());
    }

    #[tokio::test]
    async fn the_queue_is_bounded() {
        let locks = locks(0);
        let _one = locks.wait("a").await;
        assert!(matches!(locks.wait("a").await, Err(GuestFailure::Busy)));
    }
}
