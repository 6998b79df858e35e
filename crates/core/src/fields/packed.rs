//! The form of small sessions: all fields in one allocation, without a pointer or a gap between them.
//!
//! ```text
//! packed = ""                                   no fields
//!        | boots:varint boot:[u8;4]{boots} field+
//! field  = length:varint name  counter:varint  writer:varint  content
//! content = 0:varint                            removed
//!        | length+1:varint codec:u8 bytes
//! ```
//!
//! `writer` is a place in the list of boots: the fields of a session have few writers. Names ascend
//! strictly. The list may hold boots that no field has any more; the next change of length drops them.
//!
//! The bytes never leave this process, so reading them is total without reporting: it ends early at what
//! [`Packed::of`] cannot have written.

use std::cmp::Ordering;
use std::ops::Range;

use bytes::BufMut;

use super::varint;
use super::view::{FieldRef, ValueRef};
use crate::stamp::{Boot, Stamp};
use crate::value::Codec;

/// See the module.
#[derive(Clone, Default)]
pub(super) struct Packed(Box<[u8]>);

impl Packed {
    /// Packs fields that ascend strictly by name.
    pub(super) fn of(ascending: &[FieldRef<'_>]) -> Self {
        debug_assert!(ascending.is_sorted_by(|one, next| one.name < next.name));
        if ascending.is_empty() {
            return Self::default();
        }
        let mut boots = Vec::new();
        let mut length = 0;
        for field in ascending {
            let writer = boots.iter().position(|boot| *boot == field.stamp.boot).unwrap_or(boots.len());
            if writer == boots.len() {
                boots.push(field.stamp.boot);
            }
            length += field_len(field, writer);
        }
        let mut out = Vec::with_capacity(varint::len(boots.len() as u64) + 4 * boots.len() + length);
        varint::put(&mut out, boots.len() as u64);
        for boot in &boots {
            out.put_u32_le(boot.0);
        }
        for field in ascending {
            let writer = boots.iter().position(|boot| *boot == field.stamp.boot);
            put_field(&mut out, field, writer.expect("the first pass has put every boot into the list"));
        }
        Self(out.into_boxed_slice())
    }

    /// All fields, ascending by name.
    pub(super) fn iter(&self) -> Iter<'_> {
        Iter::over(&self.0).unwrap_or_default()
    }

    /// The field of that name.
    pub(super) fn field(&self, name: &str) -> Option<FieldRef<'_>> {
        self.find(name).map(|(_, field)| field)
    }

    /// Writes the field over the one of its name, if it takes exactly the same room. Says whether it did.
    pub(super) fn overwrite(&mut self, write: FieldRef<'_>) -> bool {
        let Some((range, _)) = self.find(write.name) else { return false };
        let Some(writer) = self.iter().writer(write.stamp.boot) else { return false };
        let Some(mut room) = self.0.get_mut(range) else { return false };
        let fits = field_len(&write, writer) == room.len();
        if fits {
            put_field(&mut room, &write, writer);
        }
        fits
    }

    /// All fields, with `write` in the place of its name.
    pub(super) fn with<'a>(&'a self, write: FieldRef<'a>) -> Vec<FieldRef<'a>> {
        let mut fields: Vec<_> = self.iter().collect();
        match fields.binary_search_by(|field| field.name.cmp(write.name)) {
            Ok(place) => fields[place] = write,
            Err(place) => fields.insert(place, write),
        }
        fields
    }

    /// Bytes on the heap.
    pub(super) fn footprint(&self) -> usize {
        self.0.len()
    }

    /// The field of that name, and where it lies.
    fn find(&self, name: &str) -> Option<(Range<usize>, FieldRef<'_>)> {
        let mut fields = self.iter();
        loop {
            let start = self.0.len() - fields.rest.len();
            let field = fields.next()?;
            match field.name.cmp(name) {
                Ordering::Less => {}
                Ordering::Equal => return Some((start..self.0.len() - fields.rest.len(), field)),
                Ordering::Greater => return None,
            }
        }
    }
}

/// Reads packed fields one after the other.
#[derive(Default)]
pub(super) struct Iter<'a> {
    boots: &'a [[u8; 4]],
    rest: &'a [u8],
}

impl<'a> Iter<'a> {
    fn over(mut packed: &'a [u8]) -> Option<Self> {
        let count = usize::try_from(varint::take(&mut packed)?).ok()?;
        let boots = packed.split_off(..count.checked_mul(4)?)?;
        Some(Self { boots: boots.as_chunks().0, rest: packed })
    }

    /// The boot's place in the list.
    fn writer(&self, boot: Boot) -> Option<usize> {
        self.boots.iter().position(|bytes| *bytes == boot.0.to_le_bytes())
    }

    fn take_field(&mut self) -> Option<FieldRef<'a>> {
        let length = self.take_size()?;
        let name = str::from_utf8(self.rest.split_off(..length)?).ok()?;
        let counter = varint::take(&mut self.rest)?;
        let writer = self.take_size()?;
        let boot = Boot(u32::from_le_bytes(*self.boots.get(writer)?));
        let value = match self.take_size()?.checked_sub(1) {
            None => None,
            Some(length) => {
                let codec = Codec(*self.rest.split_off_first()?);
                Some(ValueRef::new(codec, self.rest.split_off(..length)?))
            }
        };
        Some(FieldRef { name, stamp: Stamp::new(counter, boot), value })
    }

    fn take_size(&mut self) -> Option<usize> {
        usize::try_from(varint::take(&mut self.rest)?).ok()
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = FieldRef<'a>;

    fn next(&mut self) -> Option<FieldRef<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.take_field();
        debug_assert!(field.is_some(), "a packed field that nobody can have written");
        field
    }
}

/// Bytes that [`put_field`] writes.
fn field_len(field: &FieldRef<'_>, writer: usize) -> usize {
    let name = varint::len(field.name.len() as u64) + field.name.len();
    let content = match field.value {
        None => 1,
        Some(value) => varint::len(value.bytes.len() as u64 + 1) + 1 + value.bytes.len(),
    };
    name + varint::len(field.stamp.counter) + varint::len(writer as u64) + content
}

fn put_field(out: &mut impl BufMut, field: &FieldRef<'_>, writer: usize) {
    varint::put(out, field.name.len() as u64);
    out.put_slice(field.name.as_bytes());
    varint::put(out, field.stamp.counter);
    varint::put(out, writer as u64);
    match field.value {
        None => varint::put(out, 0),
        Some(value) => {
            varint::put(out, value.bytes.len() as u64 + 1);
            out.put_u8(value.codec.0);
            out.put_slice(value.bytes);
        }
    }
}
