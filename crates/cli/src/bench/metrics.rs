//! What nodes count, read from the metrics at their admin ports.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::light_client::LightClient;
use crate::failure::Failure;

/// Bytes that TLS 1.3 adds to one record: head, kind and tag.
const RECORD_COST: f64 = 22.0;
/// Most bytes of one record.
const RECORD_BYTES: f64 = 16_384.0;

/// Values by name, with labels as they are written.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    /// Asks the node whose admin port is `admin`.
    pub(super) async fn of(admin: SocketAddr) -> Result<Self, Failure> {
        let mut client = LightClient::new(admin);
        let failed = |why: &dyn std::fmt::Display| Failure::Failed(format!("GET {admin}/metrics: {why}"));
        let answer = client.send("GET", "/metrics").await.map_err(|none| failed(&none))?;
        if answer.status != 200 {
            return Err(failed(&format!("status {}", answer.status)));
        }
        Ok(Self::parse(&String::from_utf8_lossy(answer.body)))
    }

    fn parse(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let samples = samples.filter_map(|line| line.rsplit_once(' '));
        Self(samples.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect())
    }

    /// The value of that name, 0 where there is none.
    pub(super) fn get(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or(0.0)
    }

    /// Both added up.
    pub(super) fn plus(mut self, other: &Self) -> Self {
        for (name, value) in &other.0 {
            *self.0.entry(name.clone()).or_default() += value;
        }
        self
    }

    /// What was counted since `before`.
    pub(super) fn since(mut self, before: &Self) -> Self {
        for (name, value) in &mut self.0 {
            *value -= before.get(name);
        }
        self
    }

    /// Bytes that the nodes sent to each other, with what encryption adds: that part is computed, one record for each
    /// write and for each further 16 KiB.
    pub(super) fn encrypted_bytes(&self) -> f64 {
        let (bytes, writes) = (self.get("sessile_bytes_sent_total"), self.get("sessile_writes_total"));
        bytes + RECORD_COST * (writes + bytes / RECORD_BYTES)
    }

    /// Frames that the nodes sent to each other.
    pub(super) fn frames(&self) -> f64 {
        self.get("sessile_frames_sent_total")
    }

    /// Calls that wrote to a link.
    pub(super) fn link_writes(&self) -> f64 {
        self.get("sessile_writes_total")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_and_subtracted() {
        let before = Metrics::parse("# TYPE a counter\nsessile_a_total 5\nsessile_b{kind=\"x y\"} 1.5\n");
        assert_eq!(before.get("sessile_b{kind=\"x y\"}"), 1.5);
        let after = before.clone().plus(&before).since(&before);
        assert_eq!(after, before);
        assert_eq!(after.get("nothing"), 0.0);
    }

    #[test]
    fn encryption_costs_22_bytes_a_record() {
        let counted = Metrics::parse("sessile_bytes_sent_total 16384\nsessile_writes_total 2");
        assert_eq!(counted.encrypted_bytes(), 16_384.0 + 66.0);
    }
}
