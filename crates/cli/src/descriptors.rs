//! File descriptors: as many as the system allows, some of them kept for the cluster.
//!
//! Links, stores and the admin pages share the descriptors of the process with anonymous clients. So the
//! bound on connections of clients is lowered until enough descriptors are left, and operators are warned
//! when they become few.

use std::time::Duration;

use sessile::Cluster;
use sessile::status::{Gauge, PartReport};

/// The share of all descriptors, one in so many, that connections of clients leave free, and the most that
/// are.
const RESERVED_PART: u64 = 4;
const RESERVED_MAX: u64 = 1024;
/// Between two looks at how many are open.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Percent of the descriptors from which on operators are warned.
const WARN_PERCENT: u64 = 80;

/// Raises the soft limit to the hard one: it is often 1024, for programs that use `select`.
#[cfg(unix)]
pub(crate) fn raise_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, soft = ?limit.current, hard = ?limit.maximum, "the limit of descriptors stays");
    }
}

/// Where a process has no such limit.
#[cfg(not(unix))]
pub(crate) fn raise_limit() {}

/// How many descriptors this process may have; none if there is no limit.
#[cfg(unix)]
fn limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

#[cfg(not(unix))]
fn limit() -> Option<u64> {
    None
}

/// The most connections that clients may have: `wanted`, or as many as leave the reserve free.
pub(crate) fn connections(wanted: u32) -> u32 {
    let Some(limit) = limit() else { return wanted };
    let most = connections_within(limit, wanted);
    if most < wanted {
        tracing::warn!(
            "[http.limits] connections = {wanted}, but the system gives this process {limit} descriptors: {most} \
             connections at most; raise the hard limit (`ulimit -Hn`, LimitNOFILE=)"
        );
    }
    most
}

fn connections_within(limit: u64, wanted: u32) -> u32 {
    let reserved = (limit / RESERVED_PART).min(RESERVED_MAX);
    wanted.min(u32::try_from(limit - reserved).unwrap_or(u32::MAX)).max(1)
}

/// Keeps the numbers among the metrics of the node, and a warning in its status and its log while descriptors
/// are few. Never ends; where the system does not tell how many are open, it tells nothing.
pub(crate) async fn report_to(cluster: Cluster) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    let mut warned = false;
    loop {
        looks.tick().await;
        // Counting reads a directory of this process in memory, with an entry for each connection.
        let open = tokio::task::spawn_blocking(open).await.ok().flatten();
        let (Some(open), Some(limit)) = (open, limit()) else { continue };
        let warning = warning(open, limit);
        if let Some(warning) = warning.as_ref().filter(|_| !warned) {
            tracing::warn!("{warning}");
        }
        warned = warning.is_some();
        let gauge = |name, help, value| Gauge { name, help, value };
        let gauges = vec![
            gauge("descriptors_open", "file descriptors that this process has open", open),
            gauge("descriptors_limit", "file descriptors that the system gives this process", limit),
        ];
        cluster.report("descriptors", PartReport { warnings: warning.into_iter().collect(), gauges });
    }
}

/// How many descriptors are open, where the system shows them.
fn open() -> Option<u64> {
    let entries = std::fs::read_dir("/proc/self/fd").or_else(|_| std::fs::read_dir("/dev/fd"));
    // One of them reads the directory.
    Some((entries.ok()?.count() as u64).saturating_sub(1))
}

fn warning(open: u64, limit: u64) -> Option<String> {
    let is_high = open * 100 >= limit * WARN_PERCENT;
    is_high.then(|| {
        format!(
            "{open} of {limit} file descriptors are open: raise the hard limit (`ulimit -Hn`, LimitNOFILE=), or lower \
             `connections` in [http.limits]"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_leave_descriptors_for_the_cluster() {
        assert_eq!(connections_within(1024, 10_000), 768);
        assert_eq!(connections_within(1_048_576, 10_000), 10_000);
        assert_eq!(connections_within(8192, 10_000), 7168);
        assert_eq!(connections_within(8192, 100), 100);
        assert_eq!(connections_within(1, 100), 1);
    }

    #[test]
    fn few_descriptors_are_warned_of() {
        assert_eq!(warning(79, 100), None);
        assert!(warning(80, 100).is_some_and(|warning| warning.starts_with("80 of 100 ")));
    }

    #[cfg(unix)]
    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        raise_limit();
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }
}
