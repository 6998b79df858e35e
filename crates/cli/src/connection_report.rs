//! Shows operators of a node what became of the connections at its ports.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use sessile::Cluster;
use sessile::status::{Gauge, PartReport};
use sessile_http_server::ConnectionCounts;

use crate::ajp::AjpServer;

/// Between two looks at the counts.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The counts of both ports.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionReport {
    http: Arc<ConnectionCounts>,
    /// Connections that the AJP port ended for their peer's fault, where the node has such a port.
    ajp_refused: Option<Arc<AtomicU64>>,
}

impl ConnectionReport {
    pub(crate) fn new(http: &Arc<ConnectionCounts>, ajp: Option<&AjpServer>) -> Self {
        let ajp_refused = ajp.map(|ajp| Arc::clone(&ajp.refused));
        Self { http: Arc::clone(http), ajp_refused }
    }

    /// Keeps the counts among the metrics of the node. Never ends.
    pub(crate) async fn report_to(self, cluster: Cluster) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        let mut reported = None;
        loop {
            looks.tick().await;
            let gauges = self.gauges();
            if reported.as_ref() != Some(&gauges) {
                cluster.report("connections", PartReport { warnings: Vec::new(), gauges: gauges.clone() });
                reported = Some(gauges);
            }
        }
    }

    fn gauges(&self) -> Vec<Gauge> {
        let http = self.http.numbers();
        let gauge = |name, help, value| Gauge { name, help, value };
        let mut gauges = vec![
            gauge("http_connections_admitted", "connections that had room, since the start", http.admitted),
            gauge(
                "http_connections_evicted",
                "idle connections closed because their place was needed, since the start",
                http.evicted,
            ),
            gauge(
                "http_connections_refused",
                "connections closed at once because their source has too many, since the start",
                http.refused,
            ),
            gauge(
                "http_connections_failed",
                "connections without a usable PROXY header or TLS handshake, since the start",
                http.failed,
            ),
            gauge(
                "http_connections_rested",
                "times that an idle connection gave its buffers back, since the start",
                http.rested,
            ),
        ];
        gauges.extend(self.ajp_refused.as_ref().map(|refused| {
            let help = "AJP connections ended for their peer's fault, as without the secret, since the start";
            gauge("ajp_connections_refused", help, refused.load(Relaxed))
        }));
        gauges
    }
}
