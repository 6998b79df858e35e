//! Fields against a plain map, and the laws of merging, for random writes around every threshold.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;
use crate::timestamp::Incarnation;
use crate::value::Codec;

#[derive(Clone, Debug)]
struct Write {
    name: String,
    timestamp: Timestamp,
    value: Option<Value>,
}

impl Write {
    fn new(name: &str, counter: u64, value: Option<Value>) -> Self {
        Self { name: name.to_owned(), timestamp: Timestamp::new(counter, Incarnation(1)), value }
    }

    fn merge_into(&self, fields: &mut Fields) -> Merge {
        fields.merge(&self.name, self.timestamp, self.value.as_ref())
    }
}

fn merged<'a>(writes: impl IntoIterator<Item = &'a Write>) -> Fields {
    let mut fields = Fields::default();
    for write in writes {
        write.merge_into(&mut fields);
    }
    fields
}

fn bytes_of(length: usize) -> Option<Value> {
    Some(Value::raw(vec![7; length]))
}

fn is_packed(fields: &Fields) -> bool {
    matches!(fields.form, Form::Packed(_))
}

/// The naive way to hold the same: the greatest (timestamp, content) of each name.
#[derive(Default)]
struct Model(BTreeMap<String, (Timestamp, Option<(Bytes, u8)>)>);

impl Model {
    fn merge(&mut self, write: &Write) -> Merge {
        let content = write.value.as_ref().map(|value| (value.bytes.clone(), value.codec.0));
        let theirs = (write.timestamp, content);
        let Some(ours) = self.0.get_mut(&write.name) else {
            self.0.insert(write.name.clone(), theirs);
            return Merge::Applied;
        };
        let outcome = match (theirs.0.cmp(&ours.0), theirs.1 == ours.1) {
            (Ordering::Less, _) => Merge::Kept,
            (Ordering::Greater, _) => Merge::Applied,
            (Ordering::Equal, true) => Merge::Same,
            (Ordering::Equal, false) => Merge::Clash,
        };
        if theirs > *ours {
            *ours = theirs;
        }
        outcome
    }

    /// Everything that fields tell, announced by the model.
    fn check(&self, fields: &Fields) {
        let rows: Vec<_> =
            fields.all().map(|field| (field.name.to_text().into_owned(), field.timestamp)).collect();
        let expected: Vec<_> =
            self.0.iter().map(|(name, (timestamp, _))| (name.clone(), *timestamp)).collect();
        assert_eq!(rows, expected);
        for (name, (timestamp, content)) in &self.0 {
            let value = content.clone().map(|(bytes, codec)| Value { codec: Codec(codec), bytes });
            assert_eq!(fields.contains(name), value.is_some());
            assert_eq!(fields.get(name), value);
            assert_eq!(fields.field(name).map(|field| field.timestamp), Some(*timestamp));
        }
        let live = self.0.iter().filter(|(name, (_, content))| !name.starts_with('\0') && content.is_some());
        assert!(fields.attributes().map(|(name, _)| name).eq(live.map(|(name, _)| name.as_str())));
        assert_eq!(fields.attribute_count(), fields.attributes().count());
        let bytes = |content: &Option<(Bytes, u8)>| content.as_ref().map_or(0, |(bytes, _)| bytes.len());
        let weight = self.0.iter().map(|(name, (_, content))| name.len() + bytes(content)).sum();
        assert_eq!(fields.weight(), weight);
        assert_eq!(
            fields.highest_counter(),
            self.0.values().map(|(timestamp, _)| timestamp.counter).max().unwrap_or(0)
        );
        let size = packed_size(weight, self.0.len());
        assert!(if is_packed(fields) { size <= SPREAD_OVER } else { size > PACK_UNDER });
        let values: usize = self.0.values().map(|(_, content)| bytes(content)).sum();
        assert!(fields.footprint() >= values);
    }
}

fn names() -> impl Strategy<Value = String> {
    let long = "x".repeat(MAX_NAME_BYTES);
    let secrets = [[0; 16], [9; 16]].map(|hash| NameRef::secret(hash).to_text());
    let no_secret = secrets[0].replace('A', "9");
    let known =
        ["a", "b", "cart", "cart2", "Größe", "\0principal", "\0inactive", "\0note.x", "\0secret", &long];
    let known = known.into_iter().chain([&*secrets[0], &secrets[1], &no_secret]);
    prop_oneof![4 => select(known.map(str::to_owned).collect::<Vec<_>>()), 1 => "[a-f]{1,3}"]
}

fn timestamps() -> impl Strategy<Value = Timestamp> {
    let counters = prop_oneof![8 => 0..6_u64, 2 => 125..131_u64, 1 => any::<u64>()];
    (counters, select(vec![1, 2, 3, u32::MAX]))
        .prop_map(|(counter, incarnation)| Timestamp::new(counter, Incarnation(incarnation)))
}

fn values() -> impl Strategy<Value = Option<Value>> {
    let lengths = prop_oneof![
        6 => 0..4_usize,
        2 => 124..130_usize,
        2 => 1900..2200_usize,
        1 => 4050..4110_usize,
        1 => 16_382..16_388_usize,
    ];
    let value = (lengths, 0..3_u8, 0..6_u8)
        .prop_map(|(length, fill, codec)| Value { codec: Codec(codec), bytes: vec![fill; length].into() });
    prop_oneof![4 => value.prop_map(Some), 1 => Just(None)]
}

fn writes() -> impl Strategy<Value = Vec<Write>> {
    vec(
        (names(), timestamps(), values()).prop_map(|(name, timestamp, value)| Write {
            name,
            timestamp,
            value,
        }),
        0..40,
    )
}

proptest! {
    #[test]
    fn fields_do_what_a_map_does(writes in writes()) {
        let (mut fields, mut model) = (Fields::default(), Model::default());
        for write in &writes {
            prop_assert_eq!(write.merge_into(&mut fields), model.merge(write));
            model.check(&fields);
        }
    }

    #[test]
    fn every_order_of_the_same_writes_gives_the_same(
        (writes, mixed) in writes().prop_flat_map(|writes| (Just(writes.clone()), Just(writes).prop_shuffle())),
        again in vec(any::<Index>(), 0..10),
    ) {
        let (one, mut other) = (merged(&writes), merged(&mixed));
        for index in again.iter().filter(|_| !mixed.is_empty()) {
            index.get(&mixed).merge_into(&mut other);
        }
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(one.fingerprint(), other.fingerprint());
    }

    #[test]
    fn halves_may_be_merged_first(writes in writes(), at in any::<Index>()) {
        let (left, right) = writes.split_at(at.index(writes.len() + 1));
        let (mut left, right) = (merged(left), merged(right));
        for field in right.all() {
            left.merge_field(field);
        }
        prop_assert_eq!(left, merged(&writes));
    }

    #[test]
    fn a_clone_does_not_see_later_writes(before in writes(), after in writes()) {
        let mut fields = merged(&before);
        let opened = fields.clone();
        for write in &after {
            write.merge_into(&mut fields);
        }
        prop_assert_eq!(opened, merged(&before));
        prop_assert_eq!(fields, merged(before.iter().chain(&after)));
    }

    #[test]
    fn both_forms_hold_the_same(writes in writes()) {
        let fields = merged(&writes);
        let all: Vec<_> = fields.all().collect();
        let packed = Packed::of(&all);
        let spread = Spread::of(&packed.iter().collect::<Vec<_>>());
        prop_assert!(spread.iter().eq(all.iter().copied()));
        prop_assert!(Packed::of(&spread.iter().collect::<Vec<_>>()).iter().eq(all.iter().copied()));
    }

    #[test]
    fn collecting_is_merging(writes in writes()) {
        let collected: Fields = writes
            .iter()
            .map(|write| FieldRef {
                name: write.name.as_str().into(),
                timestamp: write.timestamp,
                value: write.value.as_ref().map(ValueRef::from),
            })
            .collect();
        let fields = merged(&writes);
        prop_assert_eq!(&collected, &fields);
        prop_assert_eq!(fields.all().collect::<Fields>(), fields);
    }

    #[test]
    fn fingerprints_differ_where_fields_do(one in writes(), other in writes()) {
        let timestamps = |fields: &Fields| -> Vec<_> {
            fields.all().map(|field| (field.name.to_text().into_owned(), field.timestamp)).collect()
        };
        let (one, other) = (merged(&one), merged(&other));
        prop_assert_eq!(one.fingerprint() == other.fingerprint(), timestamps(&one) == timestamps(&other));
    }
}

#[test]
fn a_removal_keeps_older_writes_away() {
    let mut fields = merged(&[Write::new("cart", 2, None)]);
    assert_eq!(Write::new("cart", 1, bytes_of(3)).merge_into(&mut fields), Merge::Kept);
    assert!(!fields.contains("cart"));
    assert_eq!(fields.attribute_count(), 0);
    assert_eq!(fields.weight(), 4);
    assert_eq!(Write::new("cart", 3, bytes_of(3)).merge_into(&mut fields), Merge::Applied);
    assert!(fields.contains("cart"));
}

#[test]
fn the_greater_bytes_win_a_clash_on_every_node() {
    let writes = [Write::new("cart", 1, bytes_of(2)), Write::new("cart", 1, bytes_of(3))];
    for order in [[&writes[0], &writes[1]], [&writes[1], &writes[0]]] {
        let mut fields = merged([order[0]]);
        assert_eq!(order[1].merge_into(&mut fields), Merge::Clash);
        assert_eq!(fields.get("cart"), bytes_of(3));
    }
}

#[test]
fn a_session_at_the_edge_keeps_its_form() {
    let mut fields = merged(&[Write::new("cart", 1, bytes_of(SPREAD_OVER - 12))]);
    assert!(is_packed(&fields));
    Write::new("cart", 2, bytes_of(SPREAD_OVER - 11)).merge_into(&mut fields);
    assert!(!is_packed(&fields));
    Write::new("cart", 3, bytes_of(SPREAD_OVER - 12)).merge_into(&mut fields);
    assert!(!is_packed(&fields), "one byte less must not pack it again");
    Write::new("cart", 4, bytes_of(PACK_UNDER - 12)).merge_into(&mut fields);
    assert!(is_packed(&fields));
}

#[test]
fn a_write_of_the_same_length_stays_in_place() {
    let mut fields = merged(&[Write::new("cart", 1, bytes_of(9)), Write::new("user", 1, bytes_of(9))]);
    let place = |fields: &Fields| fields.field("cart").unwrap().value.unwrap().bytes.as_ptr();
    let before = place(&fields);
    Write::new("cart", 2, Some(Value::raw(vec![8; 9]))).merge_into(&mut fields);
    assert_eq!(place(&fields), before);
    assert_eq!(fields.get("cart"), Some(Value::raw(vec![8; 9])));
    assert_eq!(fields.get("user"), bytes_of(9));
}

#[test]
fn large_values_are_shared_and_small_ones_leave_their_buffer() {
    let buffer = Bytes::from(vec![7; 100_000]);
    let mut fields = Fields::default();
    fields.merge("large", Timestamp::new(1, Incarnation(1)), Some(&Value::raw(buffer.slice(..50_000))));
    fields.merge("small", Timestamp::new(1, Incarnation(1)), Some(&Value::raw(buffer.slice(..5_000))));
    let sent = |fields: &Fields, name| fields.field(name).unwrap().value.unwrap().to_bytes().as_ptr();
    assert_eq!(sent(&fields, "large"), buffer.as_ptr());
    assert_ne!(sent(&fields, "small"), buffer.as_ptr());
    let opened = fields.clone();
    fields.merge("other", Timestamp::new(2, Incarnation(1)), bytes_of(1).as_ref());
    assert_eq!(sent(&fields, "small"), sent(&opened, "small"), "a write copies no other value");
}

#[test]
fn a_small_session_takes_little_more_than_its_content() {
    let secret = NameRef::secret([9; 16]).to_text();
    let system = [Write::new("\0inactive", 1, bytes_of(8)), Write::new(&secret, 1, bytes_of(1))];
    let attributes = ["a0", "a1", "a2"].map(|name| Write::new(name, 1, bytes_of(41)));
    let content: usize = merged(&attributes).weight();
    assert_eq!(content, 129);
    // The sum that `packed` tells.
    assert_eq!(merged(system.iter().chain(&attributes)).footprint(), 179);
    assert_eq!(size_of::<Fields>(), 16);
    assert_eq!(Fields::default().footprint(), 0);
}

#[test]
fn printing_shows_no_value() {
    let fields = merged(&[Write::new("\0secrets", 1, Some(Value::raw(&b"hush"[..])))]);
    let text = format!("{fields:?}");
    assert!(text.contains("secrets") && text.contains("4 bytes"));
    assert!(!text.contains("hush") && !text.contains("104"));
}

/// Whatever is done to packed bytes, what is taken of them is what a node can hold: each name once, in order,
/// in its form.
fn assert_sound(bytes: &[u8]) {
    let Some(fields) = Fields::from_packed(bytes) else { return };
    let rebuilt: Fields = fields.all().collect();
    assert_eq!(rebuilt, fields);
    let names: Vec<NameRef<'_>> = fields.all().map(|field| field.name).collect();
    assert!(names.is_sorted_by(|one, next| one < next));
    assert!(names.iter().all(|name| name.is_valid() && NameRef::from(&*name.to_text()) == *name));
    assert!(fields.highest_counter() <= Timestamp::CLOCK_MAX);
}

proptest! {
    #[test]
    fn packed_bytes_come_out_as_they_went_in(writes in writes()) {
        let fields = merged(&writes);
        if let Some(bytes) = fields.packed() {
            let possible = fields.highest_counter() <= Timestamp::CLOCK_MAX;
            prop_assert_eq!(Fields::from_packed(bytes), possible.then(|| fields.clone()));
        }
    }

    #[test]
    fn damaged_packed_bytes_are_refused_or_sound(
        writes in writes(),
        damage in vec((any::<Index>(), any::<u8>()), 1..6),
        cut in any::<Index>(),
    ) {
        let fields = merged(&writes);
        let mut bytes = fields.packed().unwrap_or_default().to_vec();
        assert_sound(&bytes[..cut.index(bytes.len() + 1)]);
        for (index, byte) in damage.into_iter().filter(|_| !fields.packed().unwrap_or_default().is_empty()) {
            let index = index.index(bytes.len());
            bytes[index] = byte;
        }
        assert_sound(&bytes);
    }
}

#[test]
fn a_secret_packed_as_a_text_is_refused() {
    let text = NameRef::secret([5; 16]).to_text().into_owned();
    // One incarnation, then a text where a hash belongs; a removed field.
    let mut bytes = vec![1, 1, 0, 0, 0, text.len() as u8 + 5];
    bytes.extend_from_slice(text.as_bytes());
    bytes.extend_from_slice(&[1, 0, 0]);
    assert_eq!(Fields::from_packed(&bytes), None);
}
