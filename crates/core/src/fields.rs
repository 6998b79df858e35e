//! All fields of one session as they lie in memory, merged field by field by their timestamps.
//!
//! Small sessions are one packed allocation, larger ones a shared list of shared fields; nobody outside
//! sees which. Knows nothing of sessions, frames or time: those who timestamp the writes are elsewhere in
//! this crate. Go on with [`packed`] and [`spread`] for the two forms, [`view`] for what is lent out.

mod fingerprint;
mod name;
mod name_ref;
mod packed;
mod spread;
mod system;
mod varint;
mod view;

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

pub use name::{BadName, FieldName, MAX_NAME_BYTES};
pub use name_ref::NameRef;
pub(crate) use system::{AUTH_TYPE, MAX_AGE, MAX_INACTIVE, PRINCIPAL};
pub use view::{FieldRef, ValueRef};

use packed::Packed;
use spread::Spread;
use system::{NOTE, SYSTEM};

use crate::timestamp::Timestamp;
use crate::value::Value;

/// Fields that take more bytes than this are spread over allocations of their own: a write must not copy
/// all of a large session, and a clone must not copy large values.
const SPREAD_OVER: usize = 4096;

/// Spread fields are packed again only below this size, so that a session at the edge does not go back
/// and forth with each write.
const PACK_UNDER: usize = SPREAD_OVER / 2;

/// The bytes of a field in the packed form beside its name and value: lengths, codec, timestamp.
const PACKED_FIELD_COST: usize = 8;

/// The fields of one session: attributes, system fields, and the marks of those that were removed.
///
/// Merging commutes, associates and repeats without harm: every order of the same writes gives the same
/// fields. Cloning copies at most about 4 KiB; larger sessions are shared until one side writes.
#[derive(Clone, Default)]
pub struct Fields {
    form: Form,
}

/// Size decides the form; see [`SPREAD_OVER`] and [`PACK_UNDER`].
#[derive(Clone)]
enum Form {
    Packed(Packed),
    Spread(Arc<Spread>),
}

/// The outcome of [`Fields::merge`] for one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Merge {
    /// The write is newer than what was here and has taken its place.
    Applied,
    /// The field here is newer; the write changed nothing.
    Kept,
    /// The very same write was here already.
    Same,
    /// The same timestamp came with another content, which no correct cluster does. The greater bytes are
    /// kept, on every node the same.
    Clash,
}

impl Fields {
    /// Merges one write; `None` removes, and leaves a mark that no older write gets past.
    ///
    /// A value of 16 KiB or more is kept as the shared buffer that it came in, a smaller one is copied. Rule
    /// 3.1.
    pub fn merge(&mut self, name: &str, timestamp: Timestamp, value: Option<&Value>) -> Merge {
        self.merge_field(FieldRef { name: name.into(), timestamp, value: value.map(ValueRef::from) })
    }

    /// Merges one field of other fields or of a frame. Rules 1.9, 3.1 and 3.7.
    pub fn merge_field(&mut self, write: FieldRef<'_>) -> Merge {
        self.merge_counted(write).0
    }

    /// The same, and what the fingerprint changes by.
    pub(crate) fn merge_counted(&mut self, write: FieldRef<'_>) -> (Merge, u64) {
        match &mut self.form {
            Form::Packed(packed) => {
                let (place, held) = packed.find(write.name).unzip();
                let (outcome, wins) = judge(&write, held);
                let change = if wins { write.fingerprint_change(held) } else { 0 };
                if wins && !place.is_some_and(|place| packed.overwrite(place, write)) {
                    self.form = Form::holding(&packed.with(write));
                }
                (outcome, change)
            }
            Form::Spread(shared) => {
                let place = shared.place(write.name);
                let held = place.ok().map(|place| shared.at(place));
                let (outcome, wins) = judge(&write, held);
                let change = if wins { write.fingerprint_change(held) } else { 0 };
                if wins {
                    let spread = Arc::make_mut(shared);
                    spread.put(place, write);
                    if packed_size(spread.weight(), spread.count()) <= PACK_UNDER {
                        self.form = Form::Packed(Packed::of(&spread.iter().collect::<Vec<_>>()));
                    }
                }
                (outcome, change)
            }
        }
    }

    /// The field of that name, be it live or removed, an attribute or the system's.
    pub fn field(&self, name: &str) -> Option<FieldRef<'_>> {
        self.find(name.into())
    }

    /// The same by a name in whichever form.
    pub(crate) fn find(&self, name: NameRef<'_>) -> Option<FieldRef<'_>> {
        match &self.form {
            Form::Packed(packed) => packed.field(name),
            Form::Spread(spread) => spread.field(name),
        }
    }

    /// The live value of that name: a copy of a small one, a share of a large one.
    pub fn get(&self, name: &str) -> Option<Value> {
        Some(self.field(name)?.value?.to_value())
    }

    /// Whether a field of that name is live.
    pub fn contains(&self, name: &str) -> bool {
        self.field(name).is_some_and(|field| field.value.is_some())
    }

    /// Every field in the order of the names' bytes: system fields first, removed ones among them.
    pub fn all(&self) -> impl Iterator<Item = FieldRef<'_>> {
        let (packed, spread) = match &self.form {
            Form::Packed(packed) => (Some(packed.iter()), None),
            Form::Spread(spread) => (None, Some(spread.iter())),
        };
        packed.into_iter().flatten().chain(spread.into_iter().flatten())
    }

    /// The application's live attributes in the order of the names' bytes.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, ValueRef<'_>)> {
        self.all()
            .filter(|field| !field.is_system())
            .filter_map(|field| Some((field.name.text()?, field.value?)))
    }

    /// The live notes, by the names that [`FieldName::note`] was given, in the order of their bytes.
    pub fn notes(&self) -> impl Iterator<Item = (&str, ValueRef<'_>)> {
        self.all().filter_map(|field| {
            Some((field.name.text()?.strip_prefix(SYSTEM)?.strip_prefix(NOTE)?, field.value?))
        })
    }

    /// How many attributes are live.
    pub fn attribute_count(&self) -> usize {
        self.attributes().count()
    }

    /// Bytes of all names and values, system fields and removal marks included: what a session's bound
    /// is compared with.
    pub fn weight(&self) -> usize {
        match &self.form {
            Form::Packed(packed) => packed.iter().map(|field| field.weight()).sum(),
            Form::Spread(spread) => spread.weight(),
        }
    }

    /// Bytes on the heap, roughly: shared buffers count in full, the allocator's own cost does not.
    pub fn footprint(&self) -> usize {
        match &self.form {
            Form::Packed(packed) => packed.footprint(),
            Form::Spread(spread) => spread.footprint(),
        }
    }

    /// All of them in one piece, as [`from_packed`](Self::from_packed) takes them; `None` for those of a
    /// larger session.
    pub(crate) fn packed(&self) -> Option<&[u8]> {
        match &self.form {
            Form::Packed(packed) => Some(packed.bytes()).filter(|bytes| bytes.len() <= SPREAD_OVER),
            Form::Spread(_) => None,
        }
    }

    /// Fields that another process packed; `None` for what no node sends.
    pub(crate) fn from_packed(bytes: &[u8]) -> Option<Self> {
        let packed = Packed::received(bytes).filter(|_| bytes.len() <= SPREAD_OVER)?;
        Some(Self { form: Form::Packed(packed) })
    }

    /// The highest counter among the timestamps; 0 without fields.
    pub fn highest_counter(&self) -> u64 {
        self.all().map(|field| field.timestamp.counter).max().unwrap_or(0)
    }

    /// A hash of all names and timestamps, the same on every node and in every order of merging.
    ///
    /// A timestamp determines its content, so equal fingerprints mean equal fields, but for 1 chance in 2^64.
    /// It finds what differs by accident; it is no defence against names that were chosen to collide.
    pub fn fingerprint(&self) -> u64 {
        self.all().fold(0, |sum, field| sum.wrapping_add(field.identity()))
    }
}

/// The outcome of a write where `ours` has its name, and whether it replaces that field. Rules 3.1 and 3.11.
fn judge(write: &FieldRef<'_>, ours: Option<FieldRef<'_>>) -> (Merge, bool) {
    let Some(ours) = ours else { return (Merge::Applied, true) };
    match write.timestamp.cmp(&ours.timestamp) {
        Ordering::Less => (Merge::Kept, false),
        Ordering::Greater => (Merge::Applied, true),
        Ordering::Equal => match write.cmp_content(&ours) {
            Ordering::Equal => (Merge::Same, false),
            order => (Merge::Clash, order.is_gt()),
        },
    }
}

impl Form {
    /// The form for these fields, which ascend by name.
    fn holding(ascending: &[FieldRef<'_>]) -> Self {
        let weight = ascending.iter().map(FieldRef::weight).sum();
        if packed_size(weight, ascending.len()) > SPREAD_OVER {
            Self::Spread(Arc::new(Spread::of(ascending)))
        } else {
            Self::Packed(Packed::of(ascending))
        }
    }
}

impl Default for Form {
    fn default() -> Self {
        Self::Packed(Packed::default())
    }
}

/// About what `count` fields of that weight take when packed: what the choice of the form goes by.
fn packed_size(weight: usize, count: usize) -> usize {
    weight.saturating_add(count.saturating_mul(PACKED_FIELD_COST))
}

/// Merges all of them; where no name comes twice, at once, without a step for each.
impl<'a> FromIterator<FieldRef<'a>> for Fields {
    fn from_iter<I: IntoIterator<Item = FieldRef<'a>>>(writes: I) -> Self {
        let mut writes: Vec<_> = writes.into_iter().collect();
        writes.sort_by_key(|write| write.name);
        if writes.is_sorted_by(|one, next| one.name < next.name) {
            return Self { form: Form::holding(&writes) };
        }
        let mut fields = Self::default();
        for write in writes {
            fields.merge_field(write);
        }
        fields
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.all().eq(other.all())
    }
}

impl Eq for Fields {}

/// Names, timestamps and sizes; never the values, which may be secrets.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.all()).finish()
    }
}
