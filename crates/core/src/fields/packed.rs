//! The form of small sessions: all fields in one allocation, without a pointer or a gap between them.
//!
//! ```text
//! packed  = ""                                  no fields
//!         | incarnations:varint incarnation:[u8;4]{incarnations} field+
//! field   = name counter:varint origin:varint content
//! name    = 0:varint hash:[u8;16]               a secret's
//!         | 1..=4:varint                        the one at this place in KNOWN
//!         | length+5:varint text
//! origin  = writer*4 + codec                    3 for a codec above 2
//! content = 0:varint                            removed
//!         | length+1:varint bytes
//!         | length+1:varint codec:u8 bytes      for a codec above 2
//! ```
//!
//! `writer` is a place in the list of incarnations: the fields of a session have few writers. Names ascend
//! strictly. The list may hold incarnations that no field has any more; the next change of length drops them.
//!
//! Bytes of a session that was made by one request and has three attributes of 41 bytes:
//!
//! | part | bytes |
//! |---|---|
//! | list of incarnations | 1 + 4 |
//! | idle time: name, timestamp with codec, length, value | 1 + 2 + 1 + 8 |
//! | secret: name, timestamp with codec, length, value | 17 + 2 + 1 + 1 |
//! | three attributes: name, timestamp with codec, length, value | 3 * (3 + 2 + 1 + 41) |
//! | together | 179, in an allocation of 192 |
//!
//! These bytes also travel, in frames of several copies (PROTOCOL.md, section 1), so the layout and [`KNOWN`]
//! never change. [`Packed::received`] checks them once; afterwards reading is total without reporting: it
//! ends early at what neither it nor [`Packed::of`] lets through.

use std::cmp::Ordering;
use std::ops::Range;

use bytes::BufMut;

use super::name_ref::{Form, NameRef};
use super::system::{KNOWN, SYSTEM};
use super::varint;
use super::view::{FieldRef, ValueRef};
use crate::key::KEY_BYTES;
use crate::timestamp::{Incarnation, Timestamp};
use crate::value::Codec;

/// Stands for the name of a secret; the names in [`KNOWN`] come after it, the lengths of texts after them.
const SECRET: u64 = 0;
const FIRST_KNOWN: u64 = SECRET + 1;
const FIRST_LENGTH: u64 = FIRST_KNOWN + KNOWN.len() as u64;

/// A codec from this on has a byte of its own.
const WIDE_CODEC: u8 = 3;

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
        let mut incarnations = Vec::new();
        let mut length = 0;
        for field in ascending {
            let writer = incarnations
                .iter()
                .position(|incarnation| *incarnation == field.timestamp.incarnation)
                .unwrap_or(incarnations.len());
            if writer == incarnations.len() {
                incarnations.push(field.timestamp.incarnation);
            }
            length += field_len(field, writer);
        }
        let mut out =
            Vec::with_capacity(varint::len(incarnations.len() as u64) + 4 * incarnations.len() + length);
        varint::put(&mut out, incarnations.len() as u64);
        for incarnation in &incarnations {
            out.put_u32_le(incarnation.0);
        }
        for field in ascending {
            let writer =
                incarnations.iter().position(|incarnation| *incarnation == field.timestamp.incarnation);
            put_field(
                &mut out,
                field,
                writer.expect("the first pass has put every incarnation into the list"),
            );
        }
        Self(out.into_boxed_slice())
    }

    /// Fields as another process packed them; `None` if no node can have done so. Rule 1.10.
    pub(super) fn received(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::default());
        }
        let mut fields = Iter::over(bytes)?;
        let mut last = None;
        while !fields.rest.is_empty() {
            let field = fields.take_field()?;
            let ascends = last.is_none_or(|last| last < field.name);
            let is_possible = field.timestamp.counter <= Timestamp::CLOCK_MAX && field.name.is_valid();
            if !ascends || !is_possible || !has_one_form(field.name) {
                return None;
            }
            last = Some(field.name);
        }
        Some(Self(bytes.into()))
    }

    /// As they lie in memory.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// All fields, ascending by name.
    pub(super) fn iter(&self) -> Iter<'_> {
        Iter::over(&self.0).unwrap_or_default()
    }

    /// The field of that name.
    pub(super) fn field(&self, name: NameRef<'_>) -> Option<FieldRef<'_>> {
        self.find(name).map(|(_, field)| field)
    }

    /// Writes the field over the one of its name, which lies in `range`, if it takes exactly the same room.
    /// Says whether it did.
    pub(super) fn overwrite(&mut self, range: Range<usize>, write: FieldRef<'_>) -> bool {
        let Some(writer) = self.iter().writer(write.timestamp.incarnation) else { return false };
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
        match fields.binary_search_by(|field| field.name.cmp(&write.name)) {
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
    pub(super) fn find(&self, name: NameRef<'_>) -> Option<(Range<usize>, FieldRef<'_>)> {
        let mut fields = self.iter();
        loop {
            let start = self.0.len() - fields.rest.len();
            let field = fields.next()?;
            match field.name.cmp(&name) {
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
    incarnations: &'a [[u8; 4]],
    rest: &'a [u8],
}

impl<'a> Iter<'a> {
    fn over(mut packed: &'a [u8]) -> Option<Self> {
        let count = usize::try_from(varint::take(&mut packed)?).ok()?;
        let incarnations = packed.split_off(..count.checked_mul(4)?)?;
        Some(Self { incarnations: incarnations.as_chunks().0, rest: packed })
    }

    /// The incarnation's place in the list.
    fn writer(&self, incarnation: Incarnation) -> Option<usize> {
        self.incarnations.iter().position(|bytes| *bytes == incarnation.0.to_le_bytes())
    }

    fn take_field(&mut self) -> Option<FieldRef<'a>> {
        let name = self.take_name()?;
        let counter = varint::take(&mut self.rest)?;
        let (writer, codec) = split_origin(self.take_size()?);
        let incarnation = Incarnation(u32::from_le_bytes(*self.incarnations.get(writer)?));
        let value = match self.take_size()?.checked_sub(1) {
            None => None,
            Some(length) => {
                let codec = if codec == WIDE_CODEC { *self.rest.split_off_first()? } else { codec };
                Some(ValueRef::new(Codec(codec), self.rest.split_off(..length)?))
            }
        };
        Some(FieldRef { name, timestamp: Timestamp::new(counter, incarnation), value })
    }

    fn take_name(&mut self) -> Option<NameRef<'a>> {
        let form = match varint::take(&mut self.rest)? {
            SECRET => {
                let (hash, rest) = self.rest.split_first_chunk::<KEY_BYTES>()?;
                self.rest = rest;
                Form::Secret(*hash)
            }
            number @ FIRST_KNOWN..FIRST_LENGTH => Form::Text(KNOWN[(number - FIRST_KNOWN) as usize]),
            length => {
                let length = usize::try_from(length - FIRST_LENGTH).ok()?;
                Form::Text(str::from_utf8(self.rest.split_off(..length)?).ok()?)
            }
        };
        Some(NameRef(form))
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

/// Whether this is how the name is held here: no text that a number or a hash stands for.
fn has_one_form(name: NameRef<'_>) -> bool {
    name.text().is_none_or(|text| !text.starts_with(SYSTEM) || !NameRef::from(text).is_secret())
}

/// The known name's place in [`KNOWN`].
fn known(name: &str) -> Option<u64> {
    let place = KNOWN.iter().position(|known| *known == name)?;
    Some(place as u64)
}

fn origin(writer: usize, value: Option<ValueRef<'_>>) -> u64 {
    writer as u64 * 4 + value.map_or(0, |value| u64::from(value.codec.0.min(WIDE_CODEC)))
}

fn split_origin(origin: usize) -> (usize, u8) {
    (origin / 4, (origin % 4) as u8)
}

/// Bytes that [`put_field`] writes.
fn field_len(field: &FieldRef<'_>, writer: usize) -> usize {
    let content = match field.value {
        None => 1,
        Some(value) => {
            let codec = usize::from(value.codec.0 >= WIDE_CODEC);
            varint::len(value.bytes.len() as u64 + 1) + codec + value.bytes.len()
        }
    };
    let timestamp = varint::len(field.timestamp.counter) + varint::len(origin(writer, field.value));
    name_len(field.name) + timestamp + content
}

fn put_field(out: &mut impl BufMut, field: &FieldRef<'_>, writer: usize) {
    put_name(out, field.name);
    varint::put(out, field.timestamp.counter);
    varint::put(out, origin(writer, field.value));
    match field.value {
        None => varint::put(out, 0),
        Some(value) => {
            varint::put(out, value.bytes.len() as u64 + 1);
            if value.codec.0 >= WIDE_CODEC {
                out.put_u8(value.codec.0);
            }
            out.put_slice(value.bytes);
        }
    }
}

/// Bytes that [`put_name`] writes.
fn name_len(name: NameRef<'_>) -> usize {
    match name.0 {
        Form::Secret(hash) => 1 + hash.len(),
        Form::Text(text) if known(text).is_some() => 1,
        Form::Text(text) => varint::len(FIRST_LENGTH + text.len() as u64) + text.len(),
    }
}

fn put_name(out: &mut impl BufMut, name: NameRef<'_>) {
    match name.0 {
        Form::Secret(hash) => {
            varint::put(out, SECRET);
            out.put_slice(&hash);
        }
        Form::Text(text) => match known(text) {
            Some(place) => varint::put(out, FIRST_KNOWN + place),
            None => {
                varint::put(out, FIRST_LENGTH + text.len() as u64);
                out.put_slice(text.as_bytes());
            }
        },
    }
}
