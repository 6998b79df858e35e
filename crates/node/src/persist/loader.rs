//! Looks up sessions that no member knows, and brings back the content of those that were swapped out.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sessile_core::{Restored, SessionKey};
use sessile_store::{DamagedRecord, Key, Record, StoreError};
use tokio::sync::{Notify, OnceCell};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::saver::CALL_MAX;
use super::{LOADS_MAX, Persist, translate};
use crate::engine::Engine;

/// Between two attempts to bring back the content of one session.
const FETCH_AGAIN: Duration = Duration::from_millis(500);

/// Look-ups under way: who asks for the same session waits for the same load.
pub(super) type LookUps = Mutex<HashMap<SessionKey, Arc<OnceCell<Found>>>>;

/// What a look-up came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The session is here now.
    Here,
    /// The store does not have it, or it ended.
    Nowhere,
    /// The store does not answer, or there is no room for the session.
    Unavailable,
}

/// Brings back what the core orders, until the node ends.
pub(super) async fn fetch_ordered(engine: Arc<Engine>, persist: Arc<Persist>) {
    let mut fetches = JoinSet::new();
    loop {
        while fetches.len() < LOADS_MAX
            && let Some(key) = persist.orders.next()
        {
            fetches.spawn(fetch(Arc::clone(&engine), Arc::clone(&persist), key));
        }
        tokio::select! {
            () = persist.orders.placed.notified() => {}
            Some(_) = fetches.join_next() => {}
        }
    }
}

/// Sessions whose content the core wants back, each once: never more than are swapped out.
#[derive(Default)]
pub(super) struct Orders {
    keys: Mutex<Keys>,
    placed: Notify,
}

#[derive(Default)]
struct Keys {
    waiting: BTreeSet<SessionKey>,
    last: Option<SessionKey>,
}

impl Orders {
    pub(super) fn place(&self, key: SessionKey) {
        self.keys.lock().waiting.insert(key);
        self.placed.notify_one();
    }

    /// Goes round, so that every one has its turn.
    fn next(&self) -> Option<SessionKey> {
        let Keys { waiting, last } = &mut *self.keys.lock();
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        let next = waiting.range((from, Bound::Unbounded)).next().or_else(|| waiting.first()).copied()?;
        waiting.remove(&next);
        *last = Some(next);
        Some(next)
    }
}

/// Tries until the content is here, or it is certain that the store does not have it.
async fn fetch(engine: Arc<Engine>, persist: Arc<Persist>, key: SessionKey) {
    let began = Instant::now();
    while persist.load_into(&engine, key).await != Found::Here {
        if !engine.node.is_swapped_out(key) {
            return;
        }
        sleep(FETCH_AGAIN).await;
    }
    persist.health.fetches.fetch_add(1, Relaxed);
    persist.health.fetch_micros.fetch_add(began.elapsed().as_micros() as u64, Relaxed);
}

impl Persist {
    /// Looks for a session that no member knows, for as long as a response may wait.
    pub(crate) async fn look_up(&self, engine: &Arc<Engine>, key: SessionKey) -> Found {
        let look_up = Arc::clone(self.look_ups.lock().entry(key).or_default());
        let _over = LookUp { persist: self, key };
        let found = timeout(self.patience, look_up.get_or_init(|| self.load_into(engine, key))).await;
        found.copied().unwrap_or_else(|_| {
            self.health.failed("a look-up was not answered in time");
            Found::Unavailable
        })
    }

    /// How long a request waits for content that was swapped out.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// Loads the session and hands it to the core.
    pub(super) async fn load_into(&self, engine: &Arc<Engine>, key: SessionKey) -> Found {
        let loaded = {
            let Ok(_turn) = self.loads.acquire().await else { return Found::Unavailable };
            self.health.loads.fetch_add(1, Relaxed);
            timeout(CALL_MAX, self.store.load(Key(key.0))).await
        };
        match loaded {
            Ok(Ok(Some(record))) => self.take(engine, key, &record),
            Ok(Ok(None)) => self.lost(engine, key),
            Ok(Err(StoreError::Damaged(damaged))) => {
                self.health.damaged(&damaged);
                self.lost(engine, key)
            }
            Ok(Err(error @ StoreError::Undecryptable { .. })) => {
                self.health.undecryptable(&error);
                Found::Unavailable
            }
            Ok(Err(error)) => {
                self.health.failed(&error.to_string());
                Found::Unavailable
            }
            Err(_) => {
                self.health.failed("it does not answer");
                Found::Unavailable
            }
        }
    }

    /// Hands a record to the core; what is known here is merged with it.
    pub(super) fn take(&self, engine: &Engine, key: SessionKey, record: &Record) -> Found {
        let Some(content) = record.content() else { return self.take_end(engine, key) };
        let stored_for = translate::stored_for(record);
        let restored = engine.step(|node, now, effects| node.restore(key, content, stored_for, now, effects));
        match restored {
            Ok(Restored::Here) => {
                self.health.hits.fetch_add(1, Relaxed);
                let version = engine.node.version(key);
                if version.is_some_and(|version| version.0 != *record.version.as_bytes()) {
                    self.mark(key, Duration::ZERO, None);
                }
                Found::Here
            }
            Ok(Restored::Ended) => {
                self.mark(key, self.interval, None);
                Found::Nowhere
            }
            Ok(Restored::Full) => Found::Unavailable,
            Err(malformed) => {
                let place = format!("the {} store", self.name());
                self.health.damaged(&DamagedRecord {
                    key: Some(Key(key.0)),
                    place,
                    cause: malformed.to_string(),
                });
                self.lost(engine, key)
            }
        }
    }

    /// The store says that the session ended: so it has, here too.
    fn take_end(&self, engine: &Engine, key: SessionKey) -> Found {
        let lives = engine.node.glance(key, engine.clock.now()).is_some_and(|glance| !glance.ended);
        if lives {
            engine.step(|node, now, effects| node.end(key, None, now, effects));
        }
        Found::Nowhere
    }

    /// The store does not have it. If its content was swapped out, the other members are asked.
    fn lost(&self, engine: &Engine, key: SessionKey) -> Found {
        if engine.node.is_swapped_out(key) {
            self.health.lost.fetch_add(1, Relaxed);
            tracing::error!(%key, "the store {} has lost a session that was swapped out", self.name());
            engine.step(|node, now, effects| node.lost(key, now, effects));
        }
        Found::Nowhere
    }
}

/// Ends a shared look-up: what was found is not remembered.
struct LookUp<'p> {
    persist: &'p Persist,
    key: SessionKey,
}

impl Drop for LookUp<'_> {
    fn drop(&mut self) {
        self.persist.look_ups.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_kept_once_and_every_one_has_its_turn() {
        let (orders, key) = (Orders::default(), |number| SessionKey([number; 16]));
        for number in [2, 3, 2, 2] {
            orders.place(key(number));
        }
        assert_eq!(orders.next(), Some(key(2)));
        orders.place(key(1));
        orders.place(key(2));
        let rest: Vec<_> = std::iter::from_fn(|| orders.next()).collect();
        assert_eq!(rest, [key(3), key(1), key(2)], "who was served waits for the others");
    }
}
