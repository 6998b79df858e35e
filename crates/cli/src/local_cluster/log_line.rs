//! A line of a node's JSON log.

use serde::Deserialize;
use serde_json::{Map, Value};

/// A parsed log line.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct LogLine {
    pub(crate) level: Level,
    fields: Map<String, Value>,
}

/// Level of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl LogLine {
    /// Parses a line; `None` for output that is not a log line, such as a panic.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }

    pub(crate) fn message(&self) -> &str {
        self.fields.get("message").and_then(Value::as_str).unwrap_or_default()
    }

    /// A field as text, empty when it is not there.
    pub(crate) fn field(&self, name: &str) -> String {
        self.fields.get(name).map(text).unwrap_or_default()
    }

    /// The message and all fields, as `message (name: value, …)`.
    pub(crate) fn words(&self) -> String {
        let fields = self.fields.iter().filter(|(name, _)| *name != "message");
        let fields: Vec<_> = fields.map(|(name, value)| format!("{name}: {}", text(value))).collect();
        if fields.is_empty() {
            return self.message().to_owned();
        }
        format!("{} ({})", self.message(), fields.join(", "))
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lists_message_and_fields() {
        let line = r#"{"timestamp":"2004-11-01T00:00:00Z","level":"WARN","fields":{"message":"member removed","member":"tc01","age_ms":7}}"#;
        let line = LogLine::parse(line).unwrap();
        assert_eq!((line.level, line.message()), (Level::Warn, "member removed"));
        assert_eq!((line.field("member"), line.field("age_ms")), ("tc01".into(), "7".into()));
        assert_eq!(line.words(), "member removed (age_ms: 7, member: tc01)");
        assert_eq!(LogLine::parse("thread 'main' panicked"), None);
    }
}
