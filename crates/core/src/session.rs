//! One session as a node holds it: always a complete copy.
//!
//! There are millions, so its fields are as narrow as what they hold allows:
//!
//! | field | bytes | |
//! |---|---|---|
//! | `key` | 16 | |
//! | `fields` | 16 | the address and length of the packed fields, which are an allocation of their own |
//! | `clock` | 8 | |
//! | `app`, `touch`, `open` | 4 each | |
//! | `incarnation`, `number` | 4 + 5 | its birth |
//! | `used`, `announced`, `born` | 5 each | whole milliseconds: 34 years, of which the driver's clock has spent ten at its start |
//! | `alarm` | 4 | whole seconds; never zero, so that a free slot of the table takes no byte more |
//! | together | 80 | |
//!
//! The table adds four bytes and one of its index, which is between 44 and 88 % full. How long it may be idle
//! and how old it may get are system fields and nowhere else: `alarm` says when it is worth while to read
//! them.

use std::num::NonZero;
use std::sync::LazyLock;
use std::time::Duration;

use blake3::Hasher;
use blake3::hazmat::{ContextKey, HasherExt, hash_derive_key_context};
use bytes::Bytes;

use crate::fields::{MAX_AGE, MAX_INACTIVE};
use crate::marks::Birth;
use crate::narrow::Narrow;
use crate::wire::{PackedCopy, Snapshot, StampedField};
use crate::{
    AppId, Codec, FieldRef, Fields, Incarnation, Instant, KEY_BYTES, Secret, SessionKey, Timestamp, Value,
    ValueRef, Version,
};

/// A complete copy of one session.
///
/// It came by a create, a snapshot or an answer, never by a delta alone, so it may be served,
/// acknowledged, counted and donated.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) key: SessionKey,
    pub(crate) app: AppId,
    /// Its birth: who made it, and as which of its sessions in this shard.
    incarnation: Incarnation,
    number: Narrow<{ Birth::NUMBER_BYTES }>,
    /// The highest counter ever seen in this session. Never falls.
    pub(crate) clock: u64,
    /// Rises with each use; orders uses against an expiry.
    pub(crate) touch: u32,
    /// Requests that have it open here: while there are any it is in use.
    pub(crate) open: u32,
    used: Moment,
    /// When the last touch was announced to the others.
    announced: Moment,
    born: Moment,
    /// Before this it is certainly not due.
    alarm: Alarm,
    pub(crate) fields: Fields,
}

/// An instant in whole milliseconds.
type Moment = Narrow<5>;

/// One more than an instant's whole seconds.
type Alarm = NonZero<u32>;

/// Values from this size on stay slices of the frame that brought them.
const SLICE_FROM: usize = 16 * 1024;

/// A use is announced to the others at least this many times within a session's idle time (rule 7.12). So
/// this share of it may have passed since a use of which no other member knows.
pub(crate) const UNANNOUNCED_SHARE: u32 = 8;

/// No use is announced sooner after another one, however short the idle time is.
const ANNOUNCED_AT_MOST_EVERY: Duration = Duration::from_millis(100);

/// The name of the field that says whether a secret is live: a hash, so that no copy holds the secret itself.
/// Rule 8.1.
pub(crate) fn secret_hash(secret: Secret) -> [u8; KEY_BYTES] {
    static CONTEXT: LazyLock<ContextKey> =
        LazyLock::new(|| hash_derive_key_context("sessile session secret v1"));
    let hash = Hasher::new_from_context_key(&CONTEXT).update(&secret.0).finalize();
    let mut short = [0; KEY_BYTES];
    short.copy_from_slice(&hash.as_bytes()[..KEY_BYTES]);
    short
}

/// A duration as a field's value, in milliseconds.
pub(crate) fn duration_value(duration: Duration) -> Value {
    Value::raw(millis(duration).to_le_bytes().to_vec())
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn moment(instant: Instant) -> Moment {
    // Never earlier than it was: nothing ends too soon.
    Moment::of(instant.as_micros().div_ceil(1_000))
}

fn instant(moment: Moment) -> Instant {
    Instant::after_origin(Duration::from_millis(moment.get()))
}

fn alarm(instant: Instant) -> Alarm {
    let seconds = instant.since(Instant::ORIGIN).as_secs();
    Alarm::MIN.saturating_add(u32::try_from(seconds).unwrap_or(u32::MAX))
}

impl Session {
    /// A session without fields that is used now for the first time.
    pub(crate) fn new(key: SessionKey, app: AppId, birth: Birth, now: Instant) -> Self {
        let now = moment(now);
        Self {
            key,
            app,
            incarnation: birth.incarnation,
            number: Narrow::of(birth.number),
            clock: 0,
            touch: 0,
            open: 0,
            used: now,
            announced: now,
            born: now,
            alarm: Alarm::MIN,
            fields: Fields::default(),
        }
    }

    /// The copy that a snapshot describes; `None` if it holds what no node can have made.
    ///
    /// Large values stay slices of `frame`, which brought the snapshot. Rule 3.9.
    pub(crate) fn from_snapshot(snapshot: &Snapshot<'_>, frame: &Bytes, now: Instant) -> Option<Self> {
        let is_possible =
            |field: &StampedField<'_>| field.name.is_valid() && field.counter <= Timestamp::CLOCK_MAX;
        if !snapshot.fields.iter().all(is_possible) {
            return None;
        }
        let birth =
            Birth { incarnation: Incarnation(snapshot.birth_incarnation), number: snapshot.birth_number };
        let session = Self {
            clock: snapshot.clock,
            touch: snapshot.touch,
            fields: fields_of(snapshot, frame),
            ..Self::new(SessionKey(snapshot.key), AppId(snapshot.app), birth, now)
        };
        session.arrived(snapshot.birth_number, snapshot.idle_ms, snapshot.age_ms, now)
    }

    /// The same of a copy among others.
    pub(crate) fn from_packed(copy: &PackedCopy<'_>, now: Instant) -> Option<Self> {
        let birth = Birth { incarnation: Incarnation(copy.birth_incarnation), number: copy.birth_number };
        let session = Self {
            clock: copy.clock,
            touch: copy.touch,
            fields: Fields::from_packed(copy.fields)?,
            ..Self::new(SessionKey(copy.key), AppId(copy.app), birth, now)
        };
        session.arrived(copy.birth_number, copy.idle_ms, copy.age_ms, now)
    }

    /// A copy that came with these times; `None` if its numbers are above what any node makes.
    /// Rules 3.9 and 7.20.
    fn arrived(mut self, birth_number: u64, idle_ms: u64, age_ms: u64, now: Instant) -> Option<Self> {
        let is_possible = self.clock <= Timestamp::CLOCK_MAX && birth_number <= Birth::NUMBER_MAX;
        self.used = moment(now.minus(Duration::from_millis(idle_ms)));
        self.born = moment(now.minus(Duration::from_millis(age_ms)));
        self.set_alarm();
        is_possible.then_some(self)
    }

    /// The session without its content, but with what says when it ends. Rule 11.2.
    pub(crate) fn without_content(mut self) -> Self {
        let says_when = |field: &FieldRef<'_>| field.name == MAX_INACTIVE || field.name == MAX_AGE;
        self.fields = self.fields.all().filter(says_when).collect();
        self
    }

    pub(crate) fn birth(&self) -> Birth {
        Birth { incarnation: self.incarnation, number: self.number.get() }
    }

    pub(crate) fn used_at(&self) -> Instant {
        instant(self.used)
    }

    /// How long nobody may use it before it expires.
    pub(crate) fn max_inactive(&self) -> Duration {
        self.fields.max_inactive().unwrap_or(Duration::MAX)
    }

    /// Idle time by this node's clock; zero while a request has it open.
    pub(crate) fn idle(&self, now: Instant) -> Duration {
        if self.open > 0 { Duration::ZERO } else { now.since(self.used_at()) }
    }

    /// Idle for its time, without any grace.
    fn is_idle_out(&self, now: Instant) -> bool {
        self.idle(now) >= self.max_inactive()
    }

    /// Since it was made, by this node's clock.
    pub(crate) fn age(&self, now: Instant) -> Duration {
        now.since(instant(self.born))
    }

    /// Older than its greatest age, which no use prolongs. Rule 7.21.
    pub(crate) fn is_aged(&self, now: Instant) -> bool {
        self.fields.max_age().is_some_and(|max| self.age(now) >= max)
    }

    /// No use of this copy speaks against an end, by its idle time or by its age.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.is_idle_out(now) || self.is_aged(now)
    }

    /// Whether it is worth while to ask if it is due: false long before, and most of the time.
    pub(crate) fn may_be_due(&self, now: Instant) -> bool {
        alarm(now) >= self.alarm
    }

    /// Works out when it may be due, after any merge of the fields that say when. Uses only delay that, so
    /// they leave the alarm as it is.
    pub(crate) fn set_alarm(&mut self) {
        let idle_out = self.used_at().plus(self.max_inactive());
        let aged = self.fields.max_age().map(|max| instant(self.born).plus(max));
        self.alarm = alarm(aged.map_or(idle_out, |aged| aged.min(idle_out)));
    }

    /// Takes over what another copy knows.
    pub(crate) fn merge(&mut self, theirs: &Session) {
        for field in theirs.fields.all() {
            self.fields.merge_field(field);
        }
        self.catch_up(theirs);
    }

    /// As [`merge`](Self::merge), for everything but the fields, which were merged already.
    /// Rules 3.6 and 7.21.
    pub(crate) fn catch_up(&mut self, theirs: &Session) {
        self.clock = self.clock.max(theirs.clock);
        self.touch = self.touch.max(theirs.touch);
        self.use_at(theirs.used_at());
        self.born = moment(instant(self.born).min(instant(theirs.born)));
        self.set_alarm();
    }

    /// Later writes get timestamps above any that a stopped member may know.
    pub(crate) fn advance_clock(&mut self) {
        self.clock = self.clock.saturating_add(Timestamp::FOUNDING_ADVANCE);
    }

    /// By a clock that may be wrong it is idle for so long, or so old: that never ends it at once. Rule 11.7.
    pub(crate) fn leave_some_time(&mut self, now: Instant) {
        let max_inactive = self.max_inactive();
        let rest = max_inactive / UNANNOUNCED_SHARE;
        self.use_at(now.minus(max_inactive - rest));
        if let Some(max_age) = self.fields.max_age() {
            let born_at = now.minus(max_age.saturating_sub(rest));
            self.born = moment(instant(self.born).max(born_at));
        }
    }

    /// Somebody uses it now.
    pub(crate) fn use_now(&mut self, touch: u32, now: Instant) {
        self.touch = self.touch.max(touch);
        self.use_at(now);
    }

    /// It was used then, if not later.
    pub(crate) fn use_at(&mut self, at: Instant) {
        self.used = moment(self.used_at().max(at));
    }

    /// A use is announced to the others, or came from one of them.
    pub(crate) fn announce_use(&mut self, now: Instant) {
        self.announced = moment(now);
    }

    /// Whether an eighth of the idle time has passed since the others knew of a use: they have to be told
    /// (rule 7.12).
    pub(crate) fn is_use_due(&self, now: Instant) -> bool {
        let since = now.since(instant(self.announced));
        since >= ANNOUNCED_AT_MOST_EVERY && since >= self.max_inactive() / UNANNOUNCED_SHARE
    }

    /// Takes over the times of what stood for it while its content was away.
    pub(crate) fn take_times(&mut self, known: &Self) {
        (self.used, self.announced, self.born) = (known.used, known.announced, known.born);
        self.set_alarm();
    }

    /// Rises with everything that changes the content. Rule 11.5.
    pub(crate) fn version(&self) -> Version {
        let timestamps = || self.fields.all().map(|field| field.timestamp);
        let counters = timestamps().map(|timestamp| u128::from(timestamp.counter)).sum();
        let writers =
            timestamps().map(|timestamp| u64::from(timestamp.incarnation.0)).fold(0, u64::wrapping_add);
        Version::of(self.clock, counters, writers)
    }

    /// Bytes in memory, roughly.
    pub(crate) fn footprint(&self) -> usize {
        size_of::<Self>() + self.fields.footprint()
    }

    /// The copy as it is sent among others; `None` if it is too large for that. Rule 3.2.
    pub(crate) fn packed(&self, now: Instant) -> Option<PackedCopy<'_>> {
        Some(PackedCopy {
            key: self.key.0,
            app: self.app.0,
            birth_incarnation: self.incarnation.0,
            birth_number: self.number.get(),
            clock: self.clock,
            touch: self.touch,
            idle_ms: millis(self.idle(now)),
            age_ms: millis(self.age(now)),
            fields: self.fields.packed()?,
        })
    }

    /// The copy as it is sent. Rules 3.2, 3.7, 7.20 and 12.3.
    pub(crate) fn snapshot(&self, now: Instant) -> Snapshot<'_> {
        Snapshot {
            key: self.key.0,
            app: self.app.0,
            birth_incarnation: self.incarnation.0,
            birth_number: self.number.get(),
            clock: self.clock,
            touch: self.touch,
            idle_ms: millis(self.idle(now)),
            age_ms: millis(self.age(now)),
            fields: self.fields.all().map(to_wire).collect(),
        }
    }
}

fn to_wire(field: FieldRef<'_>) -> StampedField<'_> {
    StampedField {
        name: field.name,
        counter: field.timestamp.counter,
        writer: field.timestamp.incarnation.0,
        codec: field.value.map_or(0, |value| value.codec.0),
        value: field.value.map(|value| value.bytes),
    }
}

fn fields_of(snapshot: &Snapshot<'_>, frame: &Bytes) -> Fields {
    let large = snapshot.fields.iter().filter_map(|field| large_value(field.codec, field.value?, frame));
    let large: Vec<Value> = large.collect();
    let mut kept = large.iter();
    let fields = snapshot.fields.iter().map(|field| {
        let value = match field.value {
            Some(bytes) if bytes.len() >= SLICE_FROM => kept.next().map(ValueRef::from),
            bytes => bytes.map(|bytes| ValueRef::new(Codec(field.codec), bytes)),
        };
        FieldRef { name: field.name, timestamp: field.timestamp(), value }
    });
    fields.collect()
}

/// A value that is large enough to stay a slice of the frame that brought it.
pub(crate) fn large_value(codec: u8, bytes: &[u8], frame: &Bytes) -> Option<Value> {
    (bytes.len() >= SLICE_FROM).then(|| Value { codec: Codec(codec), bytes: frame.slice_ref(bytes) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: u64 = 60_000;

    fn session(idle_ms: u64, age_ms: u64, max_inactive: u64, max_age: Option<u64>, now: Instant) -> Session {
        let (max_inactive, max_age) = (max_inactive.to_le_bytes(), max_age.map(u64::to_le_bytes));
        let field = |name: &'static str, value| StampedField {
            name: name.into(),
            counter: 1,
            writer: 1,
            codec: 0,
            value: Some(value),
        };
        let inactive = field(MAX_INACTIVE, &max_inactive[..]);
        let age = max_age.as_ref().map(|age| field(MAX_AGE, &age[..]));
        let snapshot = Snapshot {
            key: [1; KEY_BYTES],
            app: 1,
            birth_incarnation: 1,
            birth_number: 1,
            clock: 1,
            touch: 1,
            idle_ms,
            age_ms,
            fields: [inactive].into_iter().chain(age).collect(),
        };
        Session::from_snapshot(&snapshot, &Bytes::new(), now).expect("nothing here is impossible")
    }

    proptest! {
        #[test]
        fn what_is_due_may_be_due(
            idle in 0..3 * MINUTE,
            older in 0..3 * MINUTE,
            max_inactive in 0..3 * MINUTE,
            max_age in prop_oneof![Just(None), (0..3 * MINUTE).prop_map(Some)],
            (used_after, looked_after) in (0..3 * MINUTE, 0..3 * MINUTE),
        ) {
            let made = Instant::ORIGIN.plus(Duration::from_millis(10 * MINUTE));
            let mut session = session(idle, idle + older, max_inactive, max_age, made);
            let used = made.plus(Duration::from_millis(used_after));
            session.use_now(2, used);
            let now = used.plus(Duration::from_millis(looked_after));
            prop_assert!(session.may_be_due(now) || !session.is_over(now));
            session.set_alarm();
            prop_assert!(session.may_be_due(now) || !session.is_over(now));
            prop_assert!(!session.may_be_due(now) || looked_after + 1_000 > max_inactive || max_age.is_some());
        }
    }

    #[test]
    fn the_hash_of_a_secret_is_what_blake3_derives() {
        let derived = blake3::derive_key("sessile session secret v1", &[7; KEY_BYTES]);
        assert_eq!(secret_hash(Secret([7; KEY_BYTES]))[..], derived[..KEY_BYTES]);
    }

    #[test]
    fn its_times_are_those_it_was_given_to_a_millisecond() {
        let now = Instant::after_origin(Duration::from_micros(86_400_000_001));
        let mut session = session(1_500, 60_000, 9_000, None, now);
        assert_eq!(session.idle(now), Duration::from_micros(1_499_001), "never more than it was");
        session.open = 1;
        assert_eq!(session.idle(now), Duration::ZERO);
        assert_eq!(session.snapshot(now).age_ms, 59_999);
        let outline = session.without_content();
        assert_eq!((outline.max_inactive(), outline.fields.all().count()), (Duration::from_secs(9), 1));
    }

    #[test]
    fn it_takes_what_the_module_says() {
        assert_eq!(size_of::<Session>(), 80);
        assert_eq!(size_of::<Option<Session>>(), 80);
    }
}
