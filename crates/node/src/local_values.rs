//! What sessions have on this node only: values that never leave it, and go when their session does.
//!
//! Knows nothing of requests: `web` says what is to be kept, and `Engine` which sessions ended.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use sessile_core::{SessionKey, Value};

/// A value that need not be encoded, because it goes nowhere.
pub type Object = Arc<dyn Any + Send + Sync>;

/// The values of one session that are on this node only.
#[derive(Clone, Default)]
pub struct LocalValues {
    /// Attributes whose names are not among those that replicate.
    pub attributes: BTreeMap<String, Value>,
    /// What was put there as it is.
    pub objects: BTreeMap<String, Object>,
}

/// What one request did to them; `None` where a value is removed.
#[derive(Default)]
pub struct LocalChanges {
    /// Of attributes.
    pub attributes: BTreeMap<String, Option<Value>>,
    /// Of what is put there as it is.
    pub objects: BTreeMap<String, Option<Object>>,
}

/// The local values of all sessions of a node.
#[derive(Default)]
pub(crate) struct LocalTable {
    sessions: Mutex<HashMap<SessionKey, Arc<LocalValues>>>,
    /// Somebody keeps values here: until then no request pays for the lock.
    in_use: AtomicBool,
    bytes: AtomicUsize,
    missed: AtomicU64,
}

impl LocalTable {
    /// What a session has here, as it is now.
    pub(crate) fn of(&self, key: SessionKey) -> Option<Arc<LocalValues>> {
        if self.in_use.load(Ordering::Acquire) { self.sessions.lock().get(&key).cloned() } else { None }
    }

    /// Applies what a request did. Whoever calls looks afterwards whether the session is still there.
    pub(crate) fn change(&self, key: SessionKey, mut changes: LocalChanges) {
        self.in_use.store(true, Ordering::Release);
        let mut sessions = self.sessions.lock();
        let values = Arc::make_mut(sessions.entry(key).or_default());
        let before = values.weight();
        exchange(&mut values.attributes, &mut changes.attributes);
        exchange(&mut values.objects, &mut changes.objects);
        let after = values.weight();
        if values.is_empty() {
            sessions.remove(&key);
        }
        self.bytes.fetch_add(after, Ordering::Relaxed);
        self.bytes.fetch_sub(before, Ordering::Relaxed);
        drop(sessions);
        // The old values are in `changes` now: they go outside the lock, for they may do anything then.
    }

    /// The session is over.
    pub(crate) fn forget(&self, key: SessionKey) {
        if !self.in_use.load(Ordering::Acquire) {
            return;
        }
        let gone = self.sessions.lock().remove(&key);
        let bytes = gone.as_ref().map_or(0, |values| values.weight());
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Bytes of all attributes that are here.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// A value was asked for that is not here, though there is a session.
    pub(crate) fn count_missed(&self) {
        self.missed.fetch_add(1, Ordering::Relaxed);
    }

    /// How often that was.
    pub(crate) fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// Values that are here.
    pub(crate) fn count(&self) -> u64 {
        self.sessions.lock().values().map(|values| values.len() as u64).sum()
    }
}

impl LocalValues {
    /// Bytes of the attributes, names included.
    pub fn weight(&self) -> usize {
        self.attributes.iter().map(|(name, value)| name.len() + value.bytes.len()).sum()
    }

    fn len(&self) -> usize {
        self.attributes.len() + self.objects.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl LocalChanges {
    /// Whether it did nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty() && self.objects.is_empty()
    }
}

/// Puts the changes in, and what was there before in their place.
fn exchange<V>(values: &mut BTreeMap<String, V>, changes: &mut BTreeMap<String, Option<V>>) {
    for (name, change) in changes {
        *change = match change.take() {
            Some(value) => values.insert(name.clone(), value),
            None => values.remove(name),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: SessionKey = SessionKey([1; 16]);

    fn attribute(name: &str, value: Option<&'static str>) -> LocalChanges {
        let attributes = BTreeMap::from([(name.to_owned(), value.map(Value::raw))]);
        LocalChanges { attributes, ..LocalChanges::default() }
    }

    #[test]
    fn values_and_bytes_go_with_their_session() {
        let table = LocalTable::default();
        assert!(table.of(KEY).is_none());
        table.change(KEY, attribute("a", Some("12345")));
        table.change(KEY, attribute("a", Some("123")));
        let object: Object = Arc::new(7_u8);
        let objects = BTreeMap::from([("o".to_owned(), Some(Arc::clone(&object)))]);
        table.change(KEY, LocalChanges { objects, ..LocalChanges::default() });
        assert_eq!((table.count(), table.bytes(), Arc::strong_count(&object)), (2, 4, 2));
        table.forget(KEY);
        assert_eq!((table.count(), table.bytes(), Arc::strong_count(&object)), (0, 0, 1));
    }

    #[test]
    fn a_session_without_values_leaves_no_entry() {
        let table = LocalTable::default();
        table.change(KEY, attribute("a", Some("1")));
        let as_opened = table.of(KEY).unwrap();
        table.change(KEY, attribute("a", None));
        assert!(table.of(KEY).is_none() && table.bytes() == 0);
        assert!(as_opened.attributes.contains_key("a"), "a request sees what it opened");
    }
}
