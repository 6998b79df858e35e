//! The form of large sessions: every field an allocation of its own, shared between clones.
//!
//! A clone that is written copies the list of pointers and replaces one of them; names and values stay
//! where they are.

use std::sync::Arc;

use super::name_ref::NameRef;
use super::view::{FieldRef, ValueRef};
use crate::stamp::Stamp;
use crate::value::Value;

/// See the module.
#[derive(Clone)]
pub(super) struct Spread {
    /// Ascending strictly by name.
    fields: Vec<Arc<Field>>,
    /// The sum of all fields' weights, kept because every write asks for it.
    weight: usize,
}

struct Field {
    name: Box<str>,
    stamp: Stamp,
    value: Option<Value>,
}

impl Spread {
    /// Spreads fields that ascend strictly by name.
    pub(super) fn of(ascending: &[FieldRef<'_>]) -> Self {
        debug_assert!(ascending.is_sorted_by(|one, next| one.name < next.name));
        Self {
            fields: ascending.iter().map(|field| Arc::new(Field::of(*field))).collect(),
            weight: ascending.iter().map(FieldRef::weight).sum(),
        }
    }

    /// All fields, ascending by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = FieldRef<'_>> {
        self.fields.iter().map(|field| field.lend())
    }

    /// The field of that name.
    pub(super) fn field(&self, name: NameRef<'_>) -> Option<FieldRef<'_>> {
        Some(self.fields[self.place(name).ok()?].lend())
    }

    /// Puts the field in the place of its name.
    pub(super) fn put(&mut self, write: FieldRef<'_>) {
        let field = Arc::new(Field::of(write));
        self.weight += write.weight();
        match self.place(write.name) {
            Ok(place) => {
                let old = std::mem::replace(&mut self.fields[place], field);
                self.weight -= old.lend().weight();
            }
            Err(place) => self.fields.insert(place, field),
        }
    }

    /// How many fields there are.
    pub(super) fn count(&self) -> usize {
        self.fields.len()
    }

    /// Bytes of all names and values.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// Bytes on the heap.
    pub(super) fn footprint(&self) -> usize {
        /// The two counts that an `Arc` keeps before its content.
        const COUNTS: usize = 2 * size_of::<usize>();
        let list = COUNTS + size_of::<Self>() + self.fields.capacity() * size_of::<Arc<Field>>();
        list + self.fields.len() * (COUNTS + size_of::<Field>()) + self.weight
    }

    fn place(&self, name: NameRef<'_>) -> Result<usize, usize> {
        name.with_text(|name| self.fields.binary_search_by(|field| (*field.name).cmp(name)))
    }
}

impl Field {
    fn of(field: FieldRef<'_>) -> Self {
        Self {
            name: field.name.with_text(|text| text.into()),
            stamp: field.stamp,
            value: field.value.map(ValueRef::to_stored),
        }
    }

    fn lend(&self) -> FieldRef<'_> {
        FieldRef {
            name: (*self.name).into(),
            stamp: self.stamp,
            value: self.value.as_ref().map(ValueRef::from),
        }
    }
}
