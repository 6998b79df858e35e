//! One session as a node holds it: always a complete copy.

use std::time::Duration;

use bytes::Bytes;

use crate::marks::Birth;
use crate::shard::UNTOLD_SHARE;
use crate::wire::{Snapshot, StampedField};
use crate::{
    AppId, Boot, Codec, FieldName, FieldRef, Fields, Instant, Secret, SessionKey, Stamp, Value, ValueRef,
    Version,
};

/// A complete copy of one session.
///
/// It came by a create, a snapshot or an answer, never by a delta alone, so it may be served,
/// acknowledged, counted and donated.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) key: SessionKey,
    pub(crate) app: AppId,
    pub(crate) birth: Birth,
    /// The highest counter ever seen in this session. Never falls.
    pub(crate) top: u64,
    /// Rises with each use; orders uses against an expiry.
    pub(crate) touch: u32,
    /// Requests that have it open here: while there are any it is in use.
    pub(crate) open: u32,
    pub(crate) used_at: Instant,
    /// When the last touch was told to the others.
    pub(crate) told_at: Instant,
    pub(crate) born_at: Instant,
    pub(crate) max_inactive: Duration,
    pub(crate) max_age: Option<Duration>,
    pub(crate) fields: Fields,
}

/// Values from this size on stay slices of the frame that brought them.
const SLICE_FROM: usize = 16 * 1024;

/// System fields, as they are named in [`Fields`] (the zero byte in front keeps them from applications).
pub(crate) const MAX_INACTIVE: &str = "\0inactive";
pub(crate) const MAX_AGE: &str = "\0age";
pub(crate) const PRINCIPAL: &str = "\0principal";
pub(crate) const AUTH_TYPE: &str = "\0auth";
pub(crate) const SECRET: &str = "secret.";

/// The name of the field that says whether a secret is live. It holds a hash: no copy holds the secret.
pub(crate) fn secret_field(secret: Secret) -> FieldName {
    let hash = blake3::derive_key("sessile session secret v1", &secret.0);
    let mut short = [0; 16];
    short.copy_from_slice(&hash[..16]);
    FieldName::system(&format!("{SECRET}{}", SessionKey(short))).expect("a fixed prefix and 22 characters")
}

/// A duration as a field's value, in milliseconds.
pub(crate) fn duration_value(duration: Duration) -> Value {
    Value::raw(millis(duration).to_le_bytes().to_vec())
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Session {
    /// The copy that a snapshot describes; `None` if it holds what no node can have made.
    ///
    /// Large values stay slices of `frame`, which brought the snapshot.
    pub(crate) fn from_snapshot(snapshot: &Snapshot<'_>, frame: &Bytes, now: Instant) -> Option<Self> {
        let is_possible = |counter: u64| counter <= Stamp::TOP_MAX;
        let valid = is_possible(snapshot.top)
            && snapshot
                .fields
                .iter()
                .all(|field| FieldName::received(field.name).is_ok() && is_possible(field.counter));
        let mut session = Self {
            key: SessionKey(snapshot.key),
            app: AppId(snapshot.app),
            birth: Birth { boot: Boot(snapshot.birth_boot), number: snapshot.birth_number },
            top: snapshot.top,
            touch: snapshot.touch,
            open: 0,
            used_at: now.minus(Duration::from_millis(snapshot.idle_ms)),
            told_at: now,
            born_at: now.minus(Duration::from_millis(snapshot.age_ms)),
            max_inactive: Duration::MAX,
            max_age: None,
            fields: fields_of(snapshot, frame),
        };
        session.refresh_times();
        valid.then_some(session)
    }

    /// Idle time by this node's clock; zero while a request has it open.
    pub(crate) fn idle(&self, now: Instant) -> Duration {
        if self.open > 0 { Duration::ZERO } else { now.since(self.used_at) }
    }

    /// Idle for its time, without any grace: no use of this copy speaks against an end.
    pub(crate) fn is_idle_out(&self, now: Instant) -> bool {
        self.idle(now) >= self.max_inactive
    }

    /// Older than its greatest age, which no use prolongs.
    pub(crate) fn is_aged(&self, now: Instant) -> bool {
        self.max_age.is_some_and(|max| now.since(self.born_at) >= max)
    }

    /// Takes over what another copy knows.
    pub(crate) fn merge(&mut self, theirs: &Session) {
        for field in theirs.fields.all() {
            self.fields.merge_field(field);
        }
        self.catch_up(theirs);
    }

    /// As [`merge`](Self::merge), for everything but the fields, which were merged already.
    pub(crate) fn catch_up(&mut self, theirs: &Session) {
        self.top = self.top.max(theirs.top);
        self.touch = self.touch.max(theirs.touch);
        self.used_at = self.used_at.max(theirs.used_at);
        self.born_at = self.born_at.min(theirs.born_at);
        self.refresh_times();
    }

    /// By a clock that may be wrong it is idle for so long, or so old: that never ends it at once.
    pub(crate) fn leave_some_time(&mut self, now: Instant) {
        let rest = self.max_inactive / UNTOLD_SHARE;
        self.used_at = self.used_at.max(now.minus(self.max_inactive - rest));
        if let Some(max_age) = self.max_age {
            self.born_at = self.born_at.max(now.minus(max_age.saturating_sub(rest)));
        }
    }

    /// Somebody uses it now.
    pub(crate) fn use_now(&mut self, touch: u32, now: Instant) {
        self.touch = self.touch.max(touch);
        self.used_at = self.used_at.max(now);
    }

    /// Reads the system fields that decide about expiry, after any merge.
    pub(crate) fn refresh_times(&mut self) {
        self.max_inactive = self.duration(MAX_INACTIVE).unwrap_or(Duration::MAX);
        self.max_age = self.duration(MAX_AGE);
    }

    fn duration(&self, name: &str) -> Option<Duration> {
        let value = self.fields.field(name)?.value?;
        Some(Duration::from_millis(u64::from_le_bytes(value.bytes.try_into().ok()?)))
    }

    /// A number that is equal on two nodes when and only when the copies are.
    pub(crate) fn fingerprint(&self) -> u64 {
        let key = self.key.as_u128();
        let key = (key as u64) ^ ((key >> 64) as u64);
        self.fields.fingerprint().wrapping_add(key).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ self.top
    }

    /// Rises with everything that changes the content.
    pub(crate) fn version(&self) -> Version {
        let stamps = || self.fields.all().map(|field| field.stamp);
        let counters = stamps().map(|stamp| u128::from(stamp.counter)).sum();
        let writers = stamps().map(|stamp| u64::from(stamp.boot.0)).fold(0, u64::wrapping_add);
        Version::of(self.top, counters, writers)
    }

    /// Bytes in memory, roughly.
    pub(crate) fn footprint(&self) -> usize {
        size_of::<Self>() + self.fields.footprint()
    }

    /// The copy as it is sent.
    pub(crate) fn snapshot(&self, now: Instant) -> Snapshot<'_> {
        Snapshot {
            key: self.key.0,
            app: self.app.0,
            birth_boot: self.birth.boot.0,
            birth_number: self.birth.number,
            top: self.top,
            touch: self.touch,
            idle_ms: millis(self.idle(now)),
            age_ms: millis(now.since(self.born_at)),
            fields: self.fields.all().map(to_wire).collect(),
        }
    }
}

fn to_wire(field: FieldRef<'_>) -> StampedField<'_> {
    StampedField {
        name: field.name,
        counter: field.stamp.counter,
        writer: field.stamp.boot.0,
        codec: field.value.map_or(0, |value| value.codec.0),
        value: field.value.map(|value| value.bytes),
    }
}

fn fields_of(snapshot: &Snapshot<'_>, frame: &Bytes) -> Fields {
    let large: Vec<Option<Value>> =
        snapshot.fields.iter().map(|field| large_value(field.codec, field.value?, frame)).collect();
    let fields = snapshot.fields.iter().zip(&large).map(|(field, large)| {
        let value = match large {
            Some(value) => Some(ValueRef::from(value)),
            None => field.value.map(|bytes| ValueRef::new(Codec(field.codec), bytes)),
        };
        FieldRef { name: field.name, stamp: field.stamp(), value }
    });
    fields.collect()
}

/// A value that is large enough to stay a slice of the frame that brought it.
pub(crate) fn large_value(codec: u8, bytes: &[u8], frame: &Bytes) -> Option<Value> {
    (bytes.len() >= SLICE_FROM).then(|| Value { codec: Codec(codec), bytes: frame.slice_ref(bytes) })
}
