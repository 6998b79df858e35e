//! Decides which sessions leave memory, and keeps the store tidy.

use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant, SystemTime};

use sessile_core::{SessionKey, Survey, Version};
use sessile_store::{Key, Record};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::saver::CALL_MAX;
use super::{Persist, translate};
use crate::engine::Engine;

/// How often all sessions in memory are looked at.
const SURVEY_PERIOD: Duration = Duration::from_secs(1);
/// Sessions that leave memory after one survey.
const SWAPS_MAX: usize = 10_000;
/// Sessions that are saved together before they leave.
const BATCH: usize = 64;
/// What is used but never changed is saved again so often, before it counts as garbage.
const REFRESH_PERIOD: Duration = Duration::from_secs(86_400);
/// How often garbage is removed from the store.
const PURGE_PERIOD: Duration = Duration::from_secs(3_600);
/// How often a store that fails is asked whether it works again; others are asked once at the start.
const PROBE_PERIOD: Duration = Duration::from_secs(10);
/// No session has this key, so that nothing is found under it.
const NOBODYS_KEY: Key = Key([0; Key::BYTES]);
/// A wall clock may be so wrong; garbage is kept for longer.
const CLOCK_ERROR: Duration = Duration::from_secs(86_400);

/// Surveys until the node ends.
pub(super) async fn run(engine: Arc<Engine>, persist: Arc<Persist>) {
    let mut ticks = interval(SURVEY_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut refreshed, mut purged) = (Instant::now(), Instant::now());
    persist.probe().await;
    let mut probed = Instant::now();
    loop {
        ticks.tick().await;
        if probed.elapsed() >= PROBE_PERIOD && persist.health.problem().is_some() {
            persist.probe().await;
            probed = Instant::now();
        }
        persist.forget_elsewhere();
        let idle = persist.survey(&engine);
        for keys in idle.chunks(BATCH) {
            if !persist.swap_out(&engine, keys).await {
                break;
            }
        }
        if refreshed.elapsed() >= REFRESH_PERIOD {
            refreshed = Instant::now();
            persist.refresh(&engine);
        }
        if purged.elapsed() >= PURGE_PERIOD {
            purged = Instant::now();
            persist.purge().await;
        }
    }
}

impl Persist {
    /// The sessions that should leave memory: idle for their time, or the least recently used above the
    /// limit.
    fn survey(&self, engine: &Engine) -> Vec<SessionKey> {
        let excess = self.swap_above.map_or(0, |above| engine.node.session_count(None).saturating_sub(above));
        let excess = usize::try_from(excess).unwrap_or(usize::MAX).min(SWAPS_MAX);
        if excess == 0 && !self.policies.any_swaps() {
            return Vec::new();
        }
        let mut due = Vec::new();
        // The most recently used of the candidates is on top, and makes room for one that was used longer
        // ago.
        let mut oldest: BinaryHeap<(std::cmp::Reverse<Duration>, SessionKey)> = BinaryHeap::new();
        let mut survey = Some(Survey::default());
        while let Some(from) = survey {
            let (residents, next) = engine.node.survey(from, engine.clock.now());
            for resident in residents.into_iter().filter(|resident| !resident.idle.is_zero()) {
                let Some(policy) = self.policies.of(resident.app) else { continue };
                if policy.swap_idle.is_some_and(|idle| resident.idle >= idle) && due.len() < SWAPS_MAX {
                    due.push(resident.key);
                } else if excess > 0 {
                    oldest.push((std::cmp::Reverse(resident.idle), resident.key));
                    if oldest.len() > excess {
                        oldest.pop();
                    }
                }
            }
            survey = next;
        }
        let more = excess.saturating_sub(due.len());
        let mut oldest = oldest.into_vec();
        oldest.sort();
        due.extend(oldest.into_iter().take(more).map(|(_, key)| key));
        due
    }

    /// Saves these sessions as they are, and drops their content from memory. False when the store fails.
    async fn swap_out(&self, engine: &Engine, keys: &[SessionKey]) -> bool {
        let saveable = keys.iter().filter_map(|key| Some((*key, self.leaving(engine, *key)?)));
        let (leaving, records): (Vec<_>, Vec<_>) =
            saveable.map(|(key, (record, version))| ((key, version), record)).unzip();
        if records.is_empty() {
            return true;
        }
        let outcomes = match timeout(CALL_MAX, self.store.save(records)).await {
            Ok(Ok(outcomes)) => outcomes,
            Ok(Err(error)) => {
                self.health.error(&error);
                return false;
            }
            Err(_) => {
                self.health.failed("it does not answer");
                return false;
            }
        };
        for ((key, version), outcome) in leaving.into_iter().zip(outcomes) {
            if outcome.is_saved() && engine.node.swap_out(key, version) {
                self.health.swaps.fetch_add(1, Relaxed);
            } else if !outcome.is_saved() {
                // The saver finds out why.
                self.mark(key, Duration::ZERO, None);
            }
        }
        true
    }

    fn leaving(&self, engine: &Engine, key: SessionKey) -> Option<(Record, Version)> {
        let now = engine.clock.now();
        let policy = self.policies.of(engine.node.glance(key, now)?.app)?;
        let (record, version) = translate::record(key, policy.app, engine.node.saveable(key, now)?).ok()?;
        Some((record, version?))
    }

    /// Marks everything in memory, so that its times in the store are new.
    pub(super) fn refresh(&self, engine: &Engine) {
        let mut survey = Some(Survey::default());
        while let Some(from) = survey {
            let (residents, next) = engine.node.survey(from, engine.clock.now());
            residents.into_iter().for_each(|resident| self.mark(resident.key, self.interval, None));
            survey = next;
        }
    }

    /// Asks for a session that nobody has: a wrong address or password is told before a session is to be
    /// saved, and that the store works again though none is.
    async fn probe(&self) {
        match timeout(CALL_MAX, self.store.load(NOBODYS_KEY)).await {
            // A store that can be read may still be full: while there is something to save, that tells.
            Ok(Ok(_)) if self.unsaved() > 0 => {}
            Ok(Ok(_)) => self.health.works(),
            Ok(Err(error)) => self.health.error(&error),
            Err(_) => self.health.failed("it does not answer"),
        }
    }

    async fn purge(&self) {
        match timeout(CALL_MAX, self.store.purge(SystemTime::now() - CLOCK_ERROR)).await {
            Ok(Ok(0)) => {}
            Ok(Ok(removed)) => {
                tracing::info!("{removed} records of sessions that are long over left the store")
            }
            Ok(Err(error)) => self.health.error(&error),
            Err(_) => self.health.failed("it does not answer"),
        }
    }
}
