//! The form of large sessions: every field an allocation of its own, shared between clones.
//!
//! A clone that is written copies the list of pointers and replaces one of them; names and values stay
//! where they are. What has no other clone is written in place.

use std::sync::Arc;

use super::name_ref::NameRef;
use super::view::{FieldRef, ValueRef};
use crate::timestamp::Timestamp;
use crate::value::Value;

/// See the module.
#[derive(Clone)]
pub(super) struct Spread {
    /// Ascending strictly by name.
    fields: Vec<Entry>,
    /// The sum of all fields' weights, kept because every write asks for it.
    weight: usize,
}

/// A field, and how its name begins, so that a search need not look into each field that it passes.
#[derive(Clone)]
struct Entry {
    head: u64,
    field: Arc<Field>,
}

struct Field {
    name: Box<str>,
    timestamp: Timestamp,
    value: Option<Value>,
}

impl Spread {
    /// Spreads fields that ascend strictly by name.
    pub(super) fn of(ascending: &[FieldRef<'_>]) -> Self {
        debug_assert!(ascending.is_sorted_by(|one, next| one.name < next.name));
        Self {
            fields: ascending.iter().map(|field| Entry::of(*field)).collect(),
            weight: ascending.iter().map(FieldRef::weight).sum(),
        }
    }

    /// All fields, ascending by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = FieldRef<'_>> {
        self.fields.iter().map(|entry| entry.field.lend())
    }

    /// The field of that name.
    pub(super) fn field(&self, name: NameRef<'_>) -> Option<FieldRef<'_>> {
        Some(self.at(self.place(name).ok()?))
    }

    /// Where the field of that name is, or where it belongs.
    pub(super) fn place(&self, name: NameRef<'_>) -> Result<usize, usize> {
        name.with_text(|name| {
            let head = head(name);
            self.fields
                .binary_search_by(|entry| entry.head.cmp(&head).then_with(|| (*entry.field.name).cmp(name)))
        })
    }

    /// The field at a place.
    pub(super) fn at(&self, place: usize) -> FieldRef<'_> {
        self.fields[place].field.lend()
    }

    /// Puts the field at the [`place`](Self::place) of its name.
    pub(super) fn put(&mut self, place: Result<usize, usize>, write: FieldRef<'_>) {
        self.weight += write.weight();
        match place {
            Ok(place) => {
                let field = &mut self.fields[place].field;
                self.weight -= field.lend().weight();
                match Arc::get_mut(field) {
                    Some(field) => field.set(write),
                    None => *field = Arc::new(Field::of(write)),
                }
            }
            Err(place) => self.fields.insert(place, Entry::of(write)),
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
        let list = COUNTS + size_of::<Self>() + self.fields.capacity() * size_of::<Entry>();
        list + self.fields.len() * (COUNTS + size_of::<Field>()) + self.weight
    }
}

impl Entry {
    fn of(field: FieldRef<'_>) -> Self {
        Self { head: field.name.with_text(head), field: Arc::new(Field::of(field)) }
    }
}

/// The first bytes of a name, as a number in whose order names are that begin differently.
fn head(name: &str) -> u64 {
    let mut first = [0; size_of::<u64>()];
    let length = name.len().min(first.len());
    first[..length].copy_from_slice(&name.as_bytes()[..length]);
    u64::from_be_bytes(first)
}

impl Field {
    fn of(field: FieldRef<'_>) -> Self {
        Self {
            name: field.name.with_text(|text| text.into()),
            timestamp: field.timestamp,
            value: field.value.map(ValueRef::to_stored),
        }
    }

    /// Takes the timestamp and the value of a write of the same name.
    fn set(&mut self, write: FieldRef<'_>) {
        self.timestamp = write.timestamp;
        self.value = write.value.map(ValueRef::to_stored);
    }

    fn lend(&self) -> FieldRef<'_> {
        FieldRef {
            name: (*self.name).into(),
            timestamp: self.timestamp,
            value: self.value.as_ref().map(ValueRef::from),
        }
    }
}
