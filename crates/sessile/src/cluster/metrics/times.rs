//! How long requests that write take in this node, and how long members take to confirm what they wrote.

use super::super::Cluster;
use super::exposition::Exposition;

pub(super) fn write(out: &mut Exposition, cluster: &Cluster) {
    let apps: Vec<_> =
        cluster.statistics().into_iter().map(|(path, done)| (path, done.write_times())).collect();
    out.histograms(
        "app_write_seconds",
        "time in this node of requests that changed a session",
        "app",
        apps.iter().map(|(path, times)| (path.as_str(), times.request.clone())),
    );
    out.histograms(
        "app_write_overhead_seconds",
        "part of it after the handler had returned",
        "app",
        apps.iter().map(|(path, times)| (path.as_str(), times.overhead.clone())),
    );
    out.histograms(
        "confirmation_seconds",
        "time from sending a change or a copy until a member confirmed it",
        "cluster",
        [(cluster.config().cluster.name.as_str(), cluster.inner.shared.node.confirmation_times())],
    );
}
