//! Traffic between nodes.

use super::exposed::Exposed;

/// Overhead of one TLS 1.3 record: header, type and tag.
const RECORD_COST: f64 = 22.0;
/// Most bytes of one record.
const RECORD_BYTES: f64 = 16_384.0;

/// Traffic between two readings of the metrics.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Traffic {
    /// Acknowledgements and heartbeats included.
    pub(super) frames: f64,
    /// Bytes including encryption; its overhead is computed as one record for each write and each further 16
    /// KiB.
    pub(super) wire_bytes: f64,
    /// Write calls on links.
    pub(super) link_writes: f64,
}

impl Traffic {
    pub(super) fn of(counted: &Exposed) -> Self {
        let [frames, bytes, link_writes] = ["frames_sent", "bytes_sent", "writes"]
            .map(|name| counted.value(&format!("sessile_{name}_total")));
        Self { frames, wire_bytes: encrypted(bytes, link_writes), link_writes }
    }
}

fn encrypted(bytes: f64, writes: f64) -> f64 {
    bytes + RECORD_COST * (writes + bytes / RECORD_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encryption_costs_22_bytes_a_record() {
        assert_eq!(encrypted(0.0, 0.0), 0.0);
        assert_eq!(encrypted(16_384.0, 2.0), 16_384.0 + 66.0);
    }
}
