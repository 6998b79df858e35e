//! A stored session as one line of JSON. `import` restores exactly what `export` wrote.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sessile::content::StoredSession;
use sessile::store::{AppName, Lifetime, Record, RecordVersion};

use super::values;

/// One record. Unknown keys are ignored, so that lines may carry notes.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ExportedRecord {
    key: String,
    app: String,
    /// The record's version: hexadecimal digits, compared from the left.
    stamp: String,
    ended: bool,
    /// Milliseconds since 1970, by the clock of the saving node.
    saved_at_ms: u64,
    idle_left_ms: u64,
    /// Time for which a store keeps the record after the save.
    keep_ms: u64,
    /// Base64; absent if the session has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    /// For people; only `content` is read back.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    attributes: Option<Map<String, Value>>,
}

impl ExportedRecord {
    pub(super) fn of(record: &Record) -> Self {
        let content = record.content();
        let session = content.and_then(|content| StoredSession::read(content).ok());
        let since = record.lifetime.saved_at().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            key: values::shown_key(record.key),
            app: record.app.to_string(),
            stamp: record.version.to_string(),
            ended: record.is_ended(),
            saved_at_ms: millis(since),
            idle_left_ms: millis(record.lifetime.idle_left()),
            keep_ms: millis(record.lifetime.keep()),
            content: content.map(|content| BASE64_STANDARD.encode(content)),
            attributes: session.as_ref().map(values::attributes),
        }
    }

    /// The record; the error names the invalid field.
    pub(super) fn record(&self) -> Result<Record, String> {
        let key = values::parse_key(&self.key).map_err(|error| format!("`key`: {error}"))?;
        let stamp = digits(&self.stamp).ok_or("`stamp`: not hexadecimal digits")?;
        let stamp = RecordVersion::new(stamp).map_err(|error| format!("`stamp`: {error}"))?;
        let app = AppName::new(&self.app).map_err(|error| format!("`app`: {error}"))?;
        let lifetime = Lifetime::new(
            saved_at(self.saved_at_ms),
            Duration::from_millis(self.idle_left_ms),
            Duration::from_millis(self.keep_ms),
        );
        match (&self.content, self.ended) {
            (None, true) => Ok(Record::ended(key, stamp, app, lifetime)),
            (Some(content), false) => {
                let content =
                    BASE64_STANDARD.decode(content).map_err(|error| format!("`content`: {error}"))?;
                Record::live(key, stamp, app, lifetime, content).map_err(|error| error.to_string())
            }
            (None, false) => Err("`content` is missing, though the session has not `ended`".to_owned()),
            (Some(_), true) => Err("`content` of a session that has `ended`".to_owned()),
        }
    }
}

/// The time, clamped to the range of the system's clock.
fn saved_at(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis).min(Lifetime::LONGEST)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn digits(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()
    };
    if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sessile::store::{Key, RecordContent};

    use super::*;

    fn any_record() -> impl Strategy<Value = Record> {
        let times = (any::<u64>(), any::<u64>(), any::<u64>());
        let stamp = prop::collection::vec(any::<u8>(), 0..=RecordVersion::LIMIT);
        let content = prop::option::of(prop::collection::vec(any::<u8>(), 0..300));
        (any::<[u8; 16]>(), stamp, "[^\\p{C}]{0,40}", times, content).prop_map(
            |(key, stamp, app, (saved_at_ms, idle, keep), content)| Record {
                key: Key(key),
                version: RecordVersion::new(stamp).unwrap(),
                app: AppName::new(&app).unwrap(),
                lifetime: Lifetime::new(
                    saved_at(saved_at_ms),
                    Duration::from_millis(idle),
                    Duration::from_millis(keep),
                ),
                content: content.map_or(RecordContent::Ended, |content| RecordContent::Live(content.into())),
            },
        )
    }

    proptest! {
        #[test]
        fn exported_records_round_trip(record in any_record()) {
            let text = serde_json::to_string(&ExportedRecord::of(&record)).unwrap();
            prop_assert!(!text.contains('\n'));
            prop_assert_eq!(serde_json::from_str::<ExportedRecord>(&text).unwrap().record().unwrap(), record);
        }
    }

    #[test]
    fn an_invalid_line_names_its_field() {
        let good = r#"{"key":"BwcHBwcHBwcHBwcHBwcHBw","app":"/a","stamp":"01","ended":false,"saved_at_ms":1,
            "idle_left_ms":2,"keep_ms":3,"content":"AAE=","note":"mine"}"#;
        let read = |text: &str| serde_json::from_str::<ExportedRecord>(text).unwrap().record();
        assert!(read(good).is_ok());
        for (from, to, part) in [
            ("BwcH", "x", "`key`"),
            ("\"01\"", "\"0g\"", "`stamp`"),
            ("\"01\"", "\"011\"", "`stamp`"),
            ("AAE=", "?", "`content`"),
            ("false", "true", "`ended`"),
            (",\"content\":\"AAE=\"", "", "`content` is missing"),
            ("/a", "\\u0007", "application"),
        ] {
            let error = read(&good.replacen(from, to, 1)).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
