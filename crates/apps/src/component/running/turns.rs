//! Requests of one session one after another, each from the opening of its session to its commit: the next one reads what
//! the last one wrote. Outside of the session layer, for that opens the session.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use parking_lot::Mutex;
use tokio::sync::{OwnedMutexGuard, Semaphore};

use super::cookies;
use super::failure::Failure;
use super::limits::Limits;

/// The turns of one application on this node.
pub(super) struct Turns {
    /// The session cookie's name. A session is told by what the browser sends, without the node at its end.
    cookie: String,
    sessions: Mutex<HashMap<String, Lock>>,
    waiting: Semaphore,
    patience: Duration,
}

type Lock = Arc<tokio::sync::Mutex<()>>;

/// One request's turn. The last one of a session forgets the session.
struct Turn<'t> {
    turns: &'t Turns,
    session: &'t str,
    lock: Option<Lock>,
    held: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    pub(super) fn new(cookie: &str, limits: &Limits) -> Self {
        Self {
            cookie: cookie.to_owned(),
            sessions: Mutex::default(),
            waiting: Semaphore::new(limits.queue),
            patience: limits.request_time,
        }
    }

    async fn wait<'t>(&'t self, session: &'t str) -> Result<Turn<'t>, Failure> {
        let lock = Arc::clone(self.sessions.lock().entry(session.to_owned()).or_default());
        let mut turn = Turn { turns: self, session, lock: Some(Arc::clone(&lock)), held: None };
        if let Ok(held) = Arc::clone(&lock).try_lock_owned() {
            turn.held = Some(held);
            return Ok(turn);
        }
        let _place = self.waiting.try_acquire().map_err(|_| Failure::Busy)?;
        let held = tokio::time::timeout(self.patience, lock.lock_owned()).await;
        turn.held = Some(held.map_err(|_| Failure::Busy)?);
        Ok(turn)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.held = None;
        let mut sessions = self.turns.sessions.lock();
        self.lock = None;
        if sessions.get(self.session).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            sessions.remove(self.session);
        }
    }
}

/// Lets a request on when it is its turn. One without a session cookie waits for nobody.
pub(super) async fn one_by_one(State(turns): State<Arc<Turns>>, request: Request, next: Next) -> Response {
    let cookie = cookies::value(request.headers(), &turns.cookie);
    let session = cookie.map(|value| value.rsplit_once('.').map_or(value, |(sealed, _)| sealed).to_owned());
    let Some(session) = session else { return next.run(request).await };
    match turns.wait(&session).await {
        Ok(_turn) => next.run(request).await,
        Err(failure) => failure.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(queue: usize) -> Turns {
        Turns::new("sid", &Limits { queue, request_time: Duration::from_millis(50), ..Limits::default() })
    }

    #[tokio::test]
    async fn sessions_wait_for_themselves_alone_and_are_forgotten() {
        let turns = turns(1);
        let (one, other) = (turns.wait("a").await, turns.wait("b").await);
        assert!(one.is_ok() && other.is_ok());
        assert!(matches!(turns.wait("a").await, Err(Failure::Busy)), "nobody waits for ever");
        assert_eq!(turns.sessions.lock().len(), 2);
        drop((one, other));
        assert!(turns.wait("a").await.is_ok());
        assert!(turns.sessions.lock().is_empty());
    }

    #[tokio::test]
    async fn only_so_many_wait() {
        let turns = turns(0);
        let _one = turns.wait("a").await;
        assert!(matches!(turns.wait("a").await, Err(Failure::Busy)));
    }
}
