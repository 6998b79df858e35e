//! Requests on this node whose cookie is of a session that is gone, by its key.
//!
//! The answer to such a request takes the cookie back. A browser sends several requests at once, with the
//! same dead cookie: one of them may begin a new session, whose cookie the removal in a slower one's answer
//! would take away. So a removal is left to a later request while another one runs, and for a while after one
//! has begun a new session.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sessile_core::SessionKey;

/// Most sessions whose cookies are followed at once; of further ones no cookie is taken back.
const FOLLOWED_MAX: usize = 4_096;

/// The dead cookies that came to this node lately.
#[derive(Default)]
pub(crate) struct DeadCookies(Mutex<HashMap<SessionKey, Use>>);

/// What requests with one session's cookie do.
#[derive(Default)]
struct Use {
    running: usize,
    /// When one of them began a new session.
    replaced_at: Option<Instant>,
}

/// One request with such a cookie, until it is dropped.
pub(crate) struct DeadCookie {
    all: Arc<DeadCookies>,
    key: SessionKey,
    quiet: Duration,
    is_followed: bool,
}

impl DeadCookies {
    /// A request came with the cookie of `key`. What a request of the last `quiet` time did counts.
    pub(crate) fn follow(self: &Arc<Self>, key: SessionKey, quiet: Duration) -> DeadCookie {
        let mut used = self.0.lock();
        if used.len() >= FOLLOWED_MAX {
            used.retain(|_, one| one.running > 0 || one.replaced_lately(quiet));
        }
        let is_followed = used.contains_key(&key) || used.len() < FOLLOWED_MAX;
        if is_followed {
            used.entry(key).or_default().running += 1;
        }
        drop(used);
        DeadCookie { all: Arc::clone(self), key, quiet, is_followed }
    }
}

impl Use {
    fn replaced_lately(&self, quiet: Duration) -> bool {
        self.replaced_at.is_some_and(|at| at.elapsed() < quiet)
    }
}

impl DeadCookie {
    /// The request began a new session: the browser gets another cookie.
    pub(crate) fn replaced(&self) {
        if let Some(one) = self.all.0.lock().get_mut(&self.key) {
            one.replaced_at = Some(Instant::now());
        }
    }

    /// Whether the browser gets no other cookie from this node, and has got none lately.
    pub(crate) fn may_be_removed(&self) -> bool {
        let used = self.all.0.lock();
        self.is_followed
            && used.get(&self.key).is_some_and(|one| one.running == 1 && !one.replaced_lately(self.quiet))
    }
}

impl Drop for DeadCookie {
    fn drop(&mut self) {
        if !self.is_followed {
            return;
        }
        let mut used = self.all.0.lock();
        let Some(one) = used.get_mut(&self.key) else { return };
        one.running -= 1;
        if one.running == 0 && !one.replaced_lately(self.quiet) {
            used.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: SessionKey = SessionKey([1; 16]);
    const QUIET: Duration = Duration::from_secs(3_600);

    #[test]
    fn a_request_that_runs_alone_takes_the_cookie_back() {
        let all = Arc::new(DeadCookies::default());
        let one = all.follow(KEY, QUIET);
        assert!(one.may_be_removed());
        let other = all.follow(KEY, QUIET);
        assert!(!one.may_be_removed() && !other.may_be_removed(), "either may begin a session");
        drop(other);
        assert!(one.may_be_removed() && all.follow(SessionKey([2; 16]), QUIET).may_be_removed());
        drop(one);
        assert!(all.0.lock().is_empty(), "nothing is left behind");
    }

    #[test]
    fn after_a_new_session_it_waits() {
        let all = Arc::new(DeadCookies::default());
        let slow = all.follow(KEY, QUIET);
        all.follow(KEY, QUIET).replaced();
        assert!(!slow.may_be_removed());
        drop(slow);
        assert!(!all.follow(KEY, QUIET).may_be_removed(), "it was sent before the new cookie came");
        assert!(all.follow(KEY, Duration::ZERO).may_be_removed());
    }

    #[test]
    fn as_many_are_followed_as_there_is_room_for() {
        let all = Arc::new(DeadCookies::default());
        let key = |number: usize| SessionKey(u128::try_from(number).unwrap().to_le_bytes());
        let many: Vec<_> = (0..FOLLOWED_MAX).map(|number| all.follow(key(number), QUIET)).collect();
        let further = all.follow(key(FOLLOWED_MAX), QUIET);
        assert!(!further.may_be_removed());
        further.replaced();
        drop((many, further));
        assert!(all.0.lock().is_empty());
    }
}
