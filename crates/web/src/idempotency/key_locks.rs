//! Which keys are being worked on by this node: one request at a time.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use sessile_core::SessionKey;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::note::Digest;

/// A key of a session.
type SessionAndKey = (SessionKey, Digest);

/// The matters that requests of this node work on: no more than there are running requests.
#[derive(Default)]
pub(crate) struct KeyLocks {
    busy: Mutex<HashSet<SessionAndKey>>,
    freed: Notify,
    choosing: Mutex<()>,
}

/// The right to work on a key; dropping it lets the next one.
pub(super) struct KeyLock {
    turns: Arc<KeyLocks>,
    locked: SessionAndKey,
}

impl KeyLocks {
    /// While this is held, nobody else chooses a slot in a ledger.
    pub(super) fn choosing(&self) -> MutexGuard<'_, ()> {
        self.choosing.lock()
    }

    /// Waits for the key to be free; `None` when it is not until `deadline`.
    pub(super) async fn take(self: &Arc<Self>, locked: SessionAndKey, deadline: Instant) -> Option<KeyLock> {
        loop {
            let freed = self.freed.notified();
            if self.busy.lock().insert(locked) {
                return Some(KeyLock { turns: Arc::clone(self), locked });
            }
            timeout_at(deadline, freed).await.ok()?;
        }
    }
}

impl Drop for KeyLock {
    fn drop(&mut self) {
        self.turns.busy.lock().remove(&self.locked);
        self.turns.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn one_at_a_time_and_others_do_not_wait() {
        let turns = Arc::new(KeyLocks::default());
        let (one, other) = (Digest::of(&[b"1"]), Digest::of(&[b"2"]));
        let locked = |digest| (SessionKey([1; 16]), digest);
        let (now, soon) = (Instant::now(), Instant::now() + Duration::from_secs(30));
        let first = turns.take(locked(one), soon).await;
        assert!(turns.take(locked(other), soon).await.is_some());
        assert!(turns.take((SessionKey([2; 16]), one), soon).await.is_some());
        assert!(turns.take(locked(one), now).await.is_none());
        let waiting = turns.take(locked(one), soon);
        let (second, ()) = tokio::join!(waiting, async { drop(first) });
        assert!(second.is_some());
    }
}
