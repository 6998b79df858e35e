//! One line of the access log.

use std::borrow::Cow;
use std::fmt::Write;
use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Longest text of a client in a line: a target, a referrer, a browser's name.
const TEXT_BOUND: usize = 2_048;

/// The form of a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AccessLogFormat {
    /// The Common Log Format of the NCSA.
    Common,
    /// The same with referrer and user agent, as Apache httpd's `combined`.
    #[default]
    Combined,
    /// One JSON object a line, with the node and what the request had to wait for.
    Json,
}

/// The outcome of one request or connection.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) client: IpAddr,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) version: &'static str,
    pub(crate) host: Option<String>,
    pub(crate) referer: Option<String>,
    pub(crate) user_agent: Option<String>,
    /// 0 where nothing was answered.
    pub(crate) status: u16,
    /// Bytes of the answer's body that went to the client.
    pub(crate) bytes: u64,
    /// The node that answered.
    pub(crate) node: Option<String>,
    /// Nodes that were asked, with those that did not answer.
    pub(crate) attempts: u32,
    /// From the request's head to the answer's.
    pub(crate) answered_after: Option<Duration>,
    /// Names an error page of the balancer.
    pub(crate) reference: Option<String>,
    /// The answer went to the client to its end.
    pub(crate) complete: bool,
    began: (SystemTime, Instant),
}

impl Entry {
    /// A request or connection that begins now. Texts of the client are cut at [`TEXT_BOUND`].
    pub(crate) fn new(client: IpAddr, method: &str, target: &str, version: &'static str) -> Self {
        Self {
            client,
            method: bounded(method),
            target: bounded(target),
            version,
            host: None,
            referer: None,
            user_agent: None,
            status: 0,
            bytes: 0,
            node: None,
            attempts: 0,
            answered_after: None,
            reference: None,
            complete: false,
            began: (SystemTime::now(), Instant::now()),
        }
    }

    /// Time since it began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.1.elapsed()
    }

    /// The line, with its end.
    pub(super) fn line(&self, format: AccessLogFormat) -> Vec<u8> {
        let mut line = match format {
            AccessLogFormat::Common => self.common(),
            AccessLogFormat::Combined => {
                let [referer, agent] =
                    [&self.referer, &self.user_agent].map(|text| escaped(text.as_deref().unwrap_or("-")));
                format!("{} \"{referer}\" \"{agent}\"", self.common())
            }
            AccessLogFormat::Json => self.json(),
        };
        line.push('\n');
        line.into_bytes()
    }

    fn common(&self) -> String {
        let status = if self.status == 0 { "-".to_owned() } else { self.status.to_string() };
        format!(
            "{} - - [{}] \"{} {} {}\" {status} {}",
            self.client.to_canonical(),
            common_time(self.began.0.into()),
            escaped(&self.method),
            escaped(&self.target),
            self.version,
            self.bytes
        )
    }

    fn json(&self) -> String {
        let milliseconds = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        serde_json::json!({
            "time": iso_time(self.began.0.into()),
            "client": self.client.to_canonical(),
            "method": self.method,
            "target": self.target,
            "protocol": self.version,
            "host": self.host,
            "status": (self.status != 0).then_some(self.status),
            "bytes": self.bytes,
            "complete": self.complete,
            "ms": milliseconds(self.elapsed()),
            "answered_after_ms": self.answered_after.map(milliseconds),
            "node": self.node,
            "attempts": self.attempts,
            "reference": self.reference,
            "referer": self.referer,
            "user_agent": self.user_agent,
        })
        .to_string()
    }
}

/// A text of a client as far as a line takes it.
pub(crate) fn bounded(text: &str) -> String {
    text[..text.floor_char_boundary(TEXT_BOUND)].to_owned()
}

/// Writes quotes, line ends and control characters in hexadecimal, so that no value ends its field or changes
/// a terminal.
fn escaped(text: &str) -> Cow<'_, str> {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        // Writing to a string does not fail.
        let _ = match byte {
            b'"' | b'\\' => write!(safe, "\\{}", char::from(byte)),
            byte if plain(byte) => write!(safe, "{}", char::from(byte)),
            byte => write!(safe, "\\x{byte:02x}"),
        };
    }
    Cow::Owned(safe)
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn common_time(time: OffsetDateTime) -> String {
    let month = MONTHS[usize::from(u8::from(time.month())) - 1];
    let (hour, minute, second) = time.to_hms();
    format!("{:02}/{month}/{}:{hour:02}:{minute:02}:{second:02} +0000", time.day(), time.year())
}

fn iso_time(time: OffsetDateTime) -> String {
    let (hour, minute, second, millisecond) = time.to_hms_milli();
    let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        let mut entry =
            Entry::new("::ffff:10.0.0.7".parse().unwrap(), "GET", "/a?b=\"c\\\u{1b}[31m", "HTTP/1.1");
        entry.began.0 = SystemTime::UNIX_EPOCH + Duration::from_millis(1_094_214_896_007);
        (entry.status, entry.bytes, entry.complete) = (200, 2_326, true);
        entry
    }

    fn text(entry: &Entry, format: AccessLogFormat) -> String {
        String::from_utf8(entry.line(format)).unwrap()
    }

    #[test]
    fn a_line_of_the_common_format_cannot_be_forged() {
        assert_eq!(
            text(&entry(), AccessLogFormat::Common),
            "10.0.0.7 - - [03/Sep/2004:12:34:56 +0000] \"GET /a?b=\\\"c\\\\\\x1b[31m HTTP/1.1\" 200 2326\n"
        );
        let mut forged = entry();
        forged.user_agent = Some("x\n1.2.3.4 - - \"".into());
        let line = text(&forged, AccessLogFormat::Combined);
        assert!(line.ends_with("200 2326 \"-\" \"x\\x0a1.2.3.4 - - \\\"\"\n"), "{line}");
        assert_eq!(line.lines().count(), 1);
    }

    #[test]
    fn a_line_of_json_is_one_object() {
        let mut entry = entry();
        entry.node = Some("tc01".into());
        entry.answered_after = Some(Duration::from_micros(1_500));
        let line = text(&entry, AccessLogFormat::Json);
        let told: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line.lines().count(), 1);
        assert_eq!(told["time"], "2004-09-03T12:34:56.007Z");
        assert_eq!((&told["node"], &told["answered_after_ms"]), (&"tc01".into(), &1.5.into()));
        assert_eq!((&told["client"], &told["referer"]), (&"10.0.0.7".into(), &serde_json::Value::Null));
    }

    #[test]
    fn texts_of_clients_are_bounded() {
        let long = "ä".repeat(TEXT_BOUND);
        let entry = Entry::new([127, 0, 0, 1].into(), "GET", &long, "HTTP/1.1");
        assert_eq!(entry.target.len(), TEXT_BOUND);
        assert!(entry.line(AccessLogFormat::Common).len() < 5 * TEXT_BOUND);
    }
}
