//! Readable parts of a stored session.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};
use sessile::SessionKey;
use sessile::content::{Codec, StoredSession};
use sessile::store::{Key, Lifetime};

use crate::session_key::unshielded;

/// The attributes by name, as JSON. A value without a JSON form is `{"codec": …, "base64": …}`.
pub(super) fn attributes(session: &StoredSession<'_>) -> Map<String, Value> {
    session
        .attributes()
        .map(|(name, _, value)| (name.to_owned(), json_of(value.codec, value.bytes)))
        .collect()
}

/// A value as JSON.
pub(super) fn json_of(codec: Codec, bytes: &[u8]) -> Value {
    let decoded = match codec {
        Codec::CBOR => minicbor_serde::from_slice(bytes).ok(),
        Codec::JSON => serde_json::from_slice(bytes).ok(),
        _ => None,
    };
    decoded.unwrap_or_else(|| json!({ "codec": codec_word(codec), "base64": BASE64_STANDARD.encode(bytes) }))
}

/// Name of a value's codec.
pub(super) fn codec_word(codec: Codec) -> String {
    match codec {
        Codec::RAW => "raw".to_owned(),
        Codec::CBOR => "cbor".to_owned(),
        Codec::JSON => "json".to_owned(),
        Codec(tag) => tag.to_string(),
    }
}

/// The key in the form of logs and admin pages.
pub(super) fn shown_key(key: Key) -> String {
    SessionKey(key.0).to_string()
}

/// Reads a key in the form of logs and admin pages, or in the 32 digits of a store.
pub(super) fn parse_key(text: &str) -> Result<Key, String> {
    let text = unshielded(text);
    let shown = SessionKey::parse(text).map(|key| Key(key.0));
    shown.or_else(|| text.parse().ok()).ok_or_else(|| {
        "a key has 22 characters, as `sessile store ls` and logs show it, or 32 hexadecimal digits".to_owned()
    })
}

/// The remaining idle time, by this machine's clock.
pub(super) fn idle_left(lifetime: &Lifetime, now: SystemTime) -> Duration {
    let elapsed = now.duration_since(lifetime.saved_at()).unwrap_or_default();
    lifetime.idle_left().saturating_sub(elapsed)
}

/// A time for people, in whole seconds.
pub(super) fn shown_time(time: Duration) -> String {
    if time >= Lifetime::LONGEST / 2 {
        return "no end".to_owned();
    }
    humantime::format_duration(Duration::from_secs(time.as_secs())).to_string()
}

/// A point in time for people, in UTC.
pub(super) fn shown_moment(moment: SystemTime) -> String {
    humantime::format_rfc3339_seconds(moment).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_json_or_base64() {
        assert_eq!(json_of(Codec::CBOR, b"\x82\x01\x61a"), json!([1, "a"]));
        assert_eq!(json_of(Codec::JSON, br#"{"a":1}"#), json!({ "a": 1 }));
        let raw = json!({ "codec": "raw", "base64": "AAE=" });
        assert_eq!(json_of(Codec::RAW, &[0, 1]), raw);
        assert_eq!(
            json_of(Codec::CBOR, &[0xff])["base64"],
            "/w==",
            "what cannot be decoded is shown as it is"
        );
    }

    #[test]
    fn parse_key_reads_both_forms() {
        let key = Key([7; 16]);
        assert_eq!(parse_key(&shown_key(key)), Ok(key));
        assert_eq!(parse_key(&key.to_string()), Ok(key));
        assert!(parse_key("sid").unwrap_err().contains("22 characters"));
    }

    #[test]
    fn a_clock_set_back_leaves_the_whole_idle_time() {
        let saved_at = SystemTime::now();
        let lifetime = Lifetime::new(saved_at, Duration::from_secs(60), Duration::from_secs(60));
        assert_eq!(idle_left(&lifetime, saved_at + Duration::from_secs(61)), Duration::ZERO);
        assert_eq!(idle_left(&lifetime, saved_at - Duration::from_secs(61)), Duration::from_secs(60));
    }
}
