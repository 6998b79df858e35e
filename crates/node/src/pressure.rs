//! Tells operators that a bound of the sessions is near, while there is time to raise it.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::Engine;

/// Percent of a bound from which on operators are warned.
const WARN_PERCENT: u64 = 80;
/// Between two looks for the log.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// What takes most of its bound now, a sentence each.
pub(crate) fn warnings(engine: &Engine) -> Vec<String> {
    let bounds = engine.node.bounds();
    let sessions = warning("max_active", engine.node.session_count(None), bounds.max_active, "sessions");
    let bytes = warning("max_table_bytes", engine.node.table_bytes(), bounds.max_table_bytes as u64, "bytes");
    sessions.into_iter().chain(bytes).collect()
}

fn warning(key: &str, used: u64, bound: u64, unit: &str) -> Option<String> {
    let is_near = u128::from(used) * 100 >= u128::from(bound) * u128::from(WARN_PERCENT);
    is_near.then(|| {
        format!(
            "{used} of {bound} {unit} are taken ([session] {key}): at the bound no session can be created; raise it, or \
             shorten `timeout`"
        )
    })
}

/// Logs when a bound comes near, once until it is far again.
pub(crate) async fn watch(engine: Arc<Engine>) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    let mut is_near = false;
    while !engine.poison.is_poisoned() {
        looks.tick().await;
        let warnings = warnings(&engine);
        if !is_near {
            warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        }
        is_near = !warnings.is_empty();
    }
}

#[cfg(test)]
mod tests {
    use super::warning;

    #[test]
    fn a_bound_warns_from_four_fifths_on() {
        assert_eq!(warning("max_active", 79, 100, "sessions"), None);
        let words = warning("max_active", 80, 100, "sessions").unwrap();
        assert!(words.starts_with("80 of 100 sessions") && words.contains("max_active"), "{words}");
        assert!(warning("max_table_bytes", u64::MAX, u64::MAX, "bytes").is_some());
    }
}
