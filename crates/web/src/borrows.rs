//! Which attributes an application holds to change them in place, and what it gave back changed.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use sessile_core::{FieldName, Value};

use super::error::SessionError;

/// An attribute as it was given back: its encoded value, or why that cannot be.
pub(crate) type Changed = Result<Value, SessionError>;

/// What proves that an attribute is still out; each lending has its own.
pub(crate) type Borrow = Arc<()>;

/// The attributes of one request that are out, or came back changed.
#[derive(Default)]
pub(crate) struct Borrows {
    out: BTreeMap<FieldName, Weak<()>>,
    changed: BTreeMap<FieldName, Changed>,
}

impl Borrows {
    /// Gives the attribute to one holder at a time: two would overwrite each other's changes.
    pub(crate) fn borrow(&mut self, name: &FieldName) -> Result<Borrow, SessionError> {
        if self.out.get(name).is_some_and(|out| out.strong_count() > 0) {
            return Err(SessionError::AlreadyBorrowed { name: name.as_str().to_owned() });
        }
        let borrow = Borrow::default();
        self.out.insert(name.clone(), Arc::downgrade(&borrow));
        Ok(borrow)
    }

    /// Takes the attribute back. Says whether it had changed and nobody had written it meanwhile.
    pub(crate) fn take_back(&mut self, name: &FieldName, borrow: &Borrow, changed: Option<Changed>) -> bool {
        if self.out.get(name).is_none_or(|out| out.as_ptr() != Arc::as_ptr(borrow)) {
            return false;
        }
        self.out.remove(name);
        changed.is_some_and(|changed| {
            self.changed.insert(name.clone(), changed);
            true
        })
    }

    /// The attribute is written: that counts, and no change in place from before.
    pub(crate) fn overrule(&mut self, name: &str) {
        self.out.remove(name);
        self.changed.remove(name);
    }

    /// The value as it was given back.
    pub(crate) fn value(&self, name: &str) -> Option<&Value> {
        self.changed.get(name)?.as_ref().ok()
    }

    /// Everything that was given back changed.
    pub(crate) fn take_changed(&mut self) -> BTreeMap<FieldName, Changed> {
        std::mem::take(&mut self.changed)
    }
}
