//! A session that its cookie carries: what is sealed into the cookie, and for how long that counts.
//!
//! ```text
//! content:  version 1 │ key 16 │ secret 16 │ born 8 │ sealed 8 │ fields: name, codec, value
//! ```
//! This is the one place where sessions live by wall clocks, because a cookie comes back from outside and no
//! node remembers when it left. [`client_cipher`](super::client_cipher) seals and opens; nothing here reads a
//! clock.

use std::borrow::Cow;
use std::time::Duration;

use sessile_core::{
    Codec, FieldName, FieldRef, Fields, Incarnation, KEY_BYTES, Secret, SessionKey, Timestamp, ValueRef,
};

use super::cookie::Identity;
use sessile_config as config;

const VERSION: u8 = 1;
/// What stands before the fields.
const HEAD: usize = 1 + KEY_BYTES + KEY_BYTES + 8 + 8;
/// What a field takes beside its name and its value: two lengths and the codec.
const FIELD: usize = 2 + 1 + 2;

/// The clocks of two nodes may differ by so much: a cookie that was sealed later than that from now is not
/// believed.
pub(crate) const CLOCK_ERROR: Duration = Duration::from_secs(3_600);
/// A cookie that is used is made anew at least so often within its idle time.
const RENEWALS: u32 = 8;

/// What a cookie carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientSession {
    pub(crate) identity: Identity,
    /// When the session was made, and when this cookie was: since 1970, by the clock of the node that did it.
    pub(crate) born_at: Duration,
    pub(crate) sealed_at: Duration,
    /// What is live in it; the timestamps mean nothing.
    pub(crate) fields: Fields,
}

impl ClientSession {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(encoded_len(&self.fields));
        bytes.push(VERSION);
        bytes.extend(self.identity.key.0);
        bytes.extend(self.identity.secret.0);
        for time in [self.born_at, self.sealed_at] {
            bytes.extend(u64::try_from(time.as_millis()).unwrap_or(u64::MAX).to_le_bytes());
        }
        for (name, value) in live(&self.fields) {
            put_part(&mut bytes, name.as_bytes());
            bytes.push(value.codec.0);
            put_part(&mut bytes, value.bytes);
        }
        bytes
    }

    /// Reads what [`encode`](Self::encode) wrote; anything else is `None`.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        if take::<1>(&mut rest)? != [VERSION] {
            return None;
        }
        let identity = Identity { key: SessionKey(take(&mut rest)?), secret: Secret(take(&mut rest)?) };
        let mut time = || Some(Duration::from_millis(u64::from_le_bytes(take(&mut rest)?)));
        let (born_at, sealed_at) = (time()?, time()?);
        let mut fields = Fields::default();
        while !rest.is_empty() {
            let name = std::str::from_utf8(take_part(&mut rest)?).ok()?;
            FieldName::received(name).ok()?;
            let [codec] = take(&mut rest)?;
            let value = ValueRef::new(Codec(codec), take_part(&mut rest)?);
            fields.merge_field(FieldRef {
                name: name.into(),
                timestamp: Timestamp::new(1, Incarnation(0)),
                value: Some(value),
            });
        }
        Some(Self { identity, born_at, sealed_at, fields })
    }

    /// Not used for its idle time, or as old as it may get: late by an eighth of the idle time and what
    /// clocks differ by, never early.
    pub(crate) fn is_over(&self, session: &config::Session, now: Duration) -> bool {
        let idle = self.idle(session);
        self.sealed_at > now.saturating_add(CLOCK_ERROR)
            || now.saturating_sub(self.sealed_at) >= with_grace(idle)
            || session.absolute_timeout.is_some_and(|max| now.saturating_sub(self.born_at) >= max)
    }

    /// To be made anew though nothing changed, so that its idle time begins again.
    pub(crate) fn is_stale(&self, session: &config::Session, now: Duration) -> bool {
        self.sealed_at.abs_diff(now) >= self.idle(session) / RENEWALS
    }

    fn idle(&self, session: &config::Session) -> Duration {
        self.fields.max_inactive().unwrap_or(session.timeout)
    }
}

/// What stands for a secret that was changed: its end is remembered under this, so that the cookie from
/// before the change opens nothing.
pub(crate) fn key_of(secret: Secret) -> SessionKey {
    let hash = blake3::derive_key("sessile secret of a carried session, version 1", &secret.0);
    let mut key = [0; KEY_BYTES];
    key.copy_from_slice(&hash[..KEY_BYTES]);
    SessionKey(key)
}

/// How long the end of a session with that idle time must be remembered: until no cookie of it counts any
/// more.
pub(crate) fn remembered_for(idle: Duration) -> Duration {
    with_grace(idle).saturating_add(CLOCK_ERROR)
}

fn with_grace(idle: Duration) -> Duration {
    idle.saturating_add(idle / RENEWALS)
}

/// Bytes of content with these fields.
pub(crate) fn encoded_len(fields: &Fields) -> usize {
    let field = |(name, value): (Cow<'_, str>, ValueRef<'_>)| FIELD + name.len() + value.bytes.len();
    HEAD + live(fields).map(field).sum::<usize>()
}

fn live(fields: &Fields) -> impl Iterator<Item = (Cow<'_, str>, ValueRef<'_>)> {
    fields.all().filter_map(|field| Some((field.name.to_text(), field.value?)))
}

fn put_part(bytes: &mut Vec<u8>, part: &[u8]) {
    let length = u16::try_from(part.len()).expect("what does not fit a cookie was refused before");
    bytes.extend(length.to_le_bytes());
    bytes.extend(part);
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

fn take_part<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = usize::from(u16::from_le_bytes(take(rest)?));
    let (part, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(part)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use sessile_core::Value;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);
    const NOW: Duration = Duration::from_secs(1_800_000_000);

    /// One with these attributes.
    pub(crate) fn client_session(
        attributes: impl IntoIterator<Item = (&'static str, Vec<u8>)>,
    ) -> ClientSession {
        let mut fields = Fields::default();
        for (name, value) in attributes {
            let value = ValueRef::new(Codec::RAW, &value);
            fields.merge_field(FieldRef {
                name: name.into(),
                timestamp: Timestamp::new(1, Incarnation(0)),
                value: Some(value),
            });
        }
        let identity = Identity { key: SessionKey([1; 16]), secret: Secret([2; 16]) };
        ClientSession { identity, born_at: NOW, sealed_at: NOW, fields }
    }

    fn aged(born_at: Duration, sealed_at: Duration) -> ClientSession {
        ClientSession { born_at, sealed_at, ..client_session([]) }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            attributes in btree_map("[a-z.]{1,20}", vec(any::<u8>(), 0..200), 0..10),
            born: u64, sealed: u64,
        ) {
            let mut client_session = aged(Duration::from_millis(born), Duration::from_millis(sealed));
            for (name, value) in &attributes {
                client_session.fields.merge(name, Timestamp::new(1, Incarnation(0)), Some(&Value::raw(value.clone())));
            }
            let bytes = client_session.encode();
            prop_assert_eq!(bytes.len(), encoded_len(&client_session.fields));
            prop_assert_eq!(ClientSession::decode(&bytes), Some(client_session));
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in vec(any::<u8>(), 0..300)) {
            if let Some(client_session) = ClientSession::decode(&bytes) {
                prop_assert!(client_session.encode().len() <= bytes.len());
            }
        }
    }

    #[test]
    fn it_is_over_when_it_was_not_used_for_its_time_and_not_before() {
        let session = config::Session { timeout: 8 * MINUTE, ..config::Session::default() };
        let over = |unused| aged(NOW, NOW).is_over(&session, NOW + unused);
        assert!(!over(8 * MINUTE), "the cookie may have been used a minute after it was made");
        assert!(over(9 * MINUTE));
        assert!(!aged(NOW, NOW).is_stale(&session, NOW + MINUTE / 2));
        assert!(aged(NOW, NOW).is_stale(&session, NOW + MINUTE));
    }

    #[test]
    fn it_is_over_at_its_greatest_age_though_it_is_used() {
        let absolute_timeout = Some(60 * MINUTE);
        let session = config::Session { absolute_timeout, ..config::Session::default() };
        let over = |age| aged(NOW, NOW + age).is_over(&session, NOW + age);
        assert!(!over(59 * MINUTE) && over(60 * MINUTE));
    }

    #[test]
    fn a_clock_that_ran_ahead_makes_nothing_immortal() {
        let session = config::Session::default();
        let ahead = aged(NOW + 59 * MINUTE, NOW + 59 * MINUTE);
        assert!(
            !ahead.is_over(&session, NOW) && ahead.is_stale(&session, NOW),
            "it is made anew when it is used"
        );
        let far_ahead = aged(NOW + 61 * MINUTE, NOW + 61 * MINUTE);
        assert!(far_ahead.is_over(&session, NOW));
        assert!(
            !aged(NOW, NOW).is_over(&session, Duration::ZERO + NOW - MINUTE),
            "a small step back ends nothing"
        );
    }

    #[test]
    fn an_end_is_remembered_until_no_cookie_counts_any_more() {
        let session = config::Session::default();
        let sealed_ahead = aged(NOW, NOW + CLOCK_ERROR);
        assert!(sealed_ahead.is_over(&session, NOW + remembered_for(session.timeout)));
    }
}
