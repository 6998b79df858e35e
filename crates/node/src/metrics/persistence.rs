//! The counters of the store; none where there is none.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::exposition::Exposition;
use crate::ClusterNode;
use crate::persist::Health;

/// Everything about the store of `cluster` that is counted.
pub(super) fn write(out: &mut Exposition, cluster: &ClusterNode) {
    let Some(store) = cluster.store() else { return };
    out.gauge("store_unsaved", "sessions that the store lacks in their newest version", store.unsaved as u64);
    out.gauge("store_lag_seconds", "since the oldest change that the store lacks", store.lag.as_secs_f64());
    out.gauge("store_failing", "1 while the store does not work", u64::from(store.problem.is_some()));
    out.gauge("sessions_swapped_out", "sessions whose content is in the store only", store.swapped_out);
    let sum = |count: fn(&Health) -> &AtomicU64| -> u64 {
        cluster.persists().map(|(_, persist)| count(&persist.health).load(Relaxed)).sum()
    };
    out.counter("store_saves", "sessions and ends that were saved", sum(|health| &health.saved));
    out.counter(
        "store_failures",
        "calls to the store that failed or took too long",
        sum(|health| &health.failures),
    );
    out.counter(
        "store_merges",
        "saves that met a newer version of another node",
        sum(|health| &health.merged),
    );
    out.counter(
        "store_waits_given_up",
        "responses that went before their session or its end was stored",
        sum(|health| &health.gave_up),
    );
    out.counter("store_pressed", "saves begun with too many sessions unsaved", sum(|health| &health.pressed));
    out.counter("store_loads", "sessions that were looked for in the store", sum(|health| &health.loads));
    out.counter("store_hits", "sessions that came from the store", sum(|health| &health.hits));
    out.counter("store_damaged", "records that could not be read", sum(|health| &health.damaged));
    out.counter("store_restored", "sessions brought back at the start", sum(|health| &health.restored));
    out.counter("swaps", "times that a session's content left memory", sum(|health| &health.swaps));
    out.counter("swaps_lost", "swapped-out sessions that the store has lost", sum(|health| &health.lost));
    out.counter("fetches", "times that swapped-out content came back", sum(|health| &health.fetches));
    let fetching = Duration::from_micros(sum(|health| &health.fetch_micros));
    out.gauge("fetch_seconds", "how long all of these took together", fetching.as_secs_f64());
}
