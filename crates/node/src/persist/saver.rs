//! Saves what is marked, behind the requests: one batch at a time, the content taken from memory in that
//! moment.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use sessile_core::{Glance, Saveable, SessionKey};
use sessile_store::{Record, SaveOutcome};
use tokio::time::{sleep, timeout};

use super::loader::Found;
use super::marks::Mark;
use super::policy::Policy;
use super::{Persist, translate};
use crate::engine::Engine;
use sessile_config::Save;

/// Records of one save.
const BATCH_MAX: usize = 256;
/// Bytes of one save; one session may be larger.
const BATCH_BYTES: usize = 8 << 20;
/// The longest that a call to the store is waited for; the stores of this project give up earlier.
pub(super) const CALL_MAX: Duration = Duration::from_secs(30);
/// Between two attempts while the store fails: at first, and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// A use that the ending node did not know may undo an expiry for so long; only then it is stored.
const EXPIRY_RESTS: Duration = Duration::from_secs(15);
/// How long a session that waits for a stop of the node is not looked at again.
const UNTIL_STOP: Duration = Duration::from_secs(86_400);

/// What is to be done with one mark.
enum Todo {
    Save(Record),
    /// Not now.
    Later(Duration),
    /// There is nothing to save.
    Nothing,
}

/// Saves until the node ends.
pub(super) async fn run(engine: Arc<Engine>, persist: Arc<Persist>) {
    let mut backoff = BACKOFF.0;
    loop {
        let batch = persist.next_batch().await;
        if persist.save_batch(&engine, batch, backoff).await {
            backoff = BACKOFF.0;
        } else {
            sleep(backoff).await;
            backoff = (backoff * 2).min(BACKOFF.1);
        }
    }
}

impl Persist {
    /// Waits until something is due.
    async fn next_batch(&self) -> Vec<(SessionKey, Mark)> {
        loop {
            let next = {
                let mut marks = self.marks.lock();
                let over = marks.is_over();
                self.health.pressed.fetch_add(u64::from(over), Relaxed);
                let batch = marks.take(Instant::now(), over || self.is_flushing.load(Relaxed), BATCH_MAX);
                if !batch.is_empty() {
                    return batch;
                }
                marks.next_due()
            };
            let due = next.map_or(UNTIL_STOP, |next| next.saturating_duration_since(Instant::now()));
            // A timeout means that it is due.
            let _ = timeout(due, self.wake.notified()).await;
        }
    }

    /// Saves the batch; false when the store did not take it.
    async fn save_batch(
        &self,
        engine: &Arc<Engine>,
        batch: Vec<(SessionKey, Mark)>,
        backoff: Duration,
    ) -> bool {
        let (mut records, mut taken, mut bytes) = (Vec::new(), Vec::new(), 0);
        for (key, mark) in batch {
            let todo =
                if bytes < BATCH_BYTES { self.todo(engine, key, &mark) } else { Todo::Later(Duration::ZERO) };
            match todo {
                Todo::Save(record) => {
                    bytes += record.content().map_or(0, bytes::Bytes::len);
                    records.push(record);
                    taken.push((key, mark));
                }
                Todo::Later(wait) => self.marks.lock().put_back(key, mark, Instant::now() + wait),
                Todo::Nothing => self.finish(key, mark),
            }
        }
        if records.is_empty() {
            return true;
        }
        let ends: Vec<Option<Record>> =
            records.iter().map(|record| record.is_ended().then(|| record.clone())).collect();
        let outcomes = match timeout(CALL_MAX, self.store.save(records)).await {
            Ok(Ok(outcomes)) => outcomes,
            failed => {
                let cause = failed.map_or_else(
                    |_| "it does not answer".to_owned(),
                    |error| error.err().map(|error| error.to_string()).unwrap_or_default(),
                );
                self.health.failed(&cause);
                for ((key, mark), end) in taken.into_iter().zip(ends) {
                    self.retry(key, mark, end, backoff);
                }
                return false;
            }
        };
        let mut all_taken = true;
        for (((key, mark), end), outcome) in taken.into_iter().zip(ends).zip(outcomes) {
            match outcome {
                SaveOutcome::Saved => {
                    self.health.saved.fetch_add(1, Relaxed);
                    self.finish(key, mark);
                }
                SaveOutcome::Superseded if end.is_some() => self.finish(key, mark),
                SaveOutcome::Superseded => all_taken &= self.merge(engine, key, mark).await,
                SaveOutcome::Failed(error) => {
                    all_taken = false;
                    self.health.error(&error);
                    self.retry(key, mark, end, backoff);
                }
            }
        }
        if all_taken {
            self.health.works();
        }
        all_taken
    }

    fn todo(&self, engine: &Engine, key: SessionKey, mark: &Mark) -> Todo {
        let now = engine.clock.now();
        let Some(glance) = engine.node.glance(key, now) else {
            return mark.end.clone().map_or(Todo::Nothing, Todo::Save);
        };
        let Some(policy) = self.policies.of(glance.app) else { return Todo::Nothing };
        // The core has ordered the rest already.
        if glance.partial {
            return Todo::Later(BACKOFF.0);
        }
        let is_urgent = !mark.waiters.is_empty() || self.is_flushing.load(Relaxed);
        if let Some(wait) = rest(&glance, &policy).filter(|_| !is_urgent) {
            return Todo::Later(wait);
        }
        match engine.node.saveable(key, now) {
            Some(Saveable::Ended { expired: true, .. }) if mark.since.elapsed() < EXPIRY_RESTS => {
                // A stop does not wait for it: what is stored has no idle time left, and ends by itself.
                if is_urgent { Todo::Nothing } else { Todo::Later(EXPIRY_RESTS) }
            }
            Some(saveable) => match translate::record(key, policy.app, saveable) {
                Ok((record, _)) => Todo::Save(record),
                Err(malformed) => {
                    self.health.failed(&format!("session {key}: {malformed}"));
                    Todo::Later(BACKOFF.1)
                }
            },
            None => Todo::Nothing,
        }
    }

    fn finish(&self, key: SessionKey, mark: Mark) {
        self.marks.lock().done(key);
        for waiter in mark.waiters {
            // A response that was given up has dropped its receiver.
            let _ = waiter.send(());
        }
    }

    fn retry(&self, key: SessionKey, mark: Mark, end: Option<Record>, backoff: Duration) {
        let mark = Mark { end, ..mark };
        self.marks.lock().put_back(key, mark, Instant::now() + backoff);
    }

    /// The store has what this node does not: another user of the store saved the session, or ended it.
    /// Brings it here, so that the next save is above both. False when the store could not be read.
    async fn merge(&self, engine: &Arc<Engine>, key: SessionKey, mark: Mark) -> bool {
        self.health.merged.fetch_add(1, Relaxed);
        let found = self.load_into(engine, key).await;
        if found == Found::Unavailable {
            self.marks.lock().put_back(key, mark, Instant::now() + BACKOFF.0);
            return false;
        }
        // When it holds more than the store now, loading has marked it again: the waiters wait for that.
        self.marks.lock().put_back(key, mark, Instant::now());
        true
    }
}

/// How long a session need not be saved yet.
fn rest(glance: &Glance, policy: &Policy) -> Option<Duration> {
    match policy.save {
        _ if glance.ended => None,
        Save::Through | Save::Behind => None,
        Save::Idle => policy.backup_idle.checked_sub(glance.idle).filter(|left| !left.is_zero()),
        Save::Stop => Some(UNTIL_STOP),
    }
}
