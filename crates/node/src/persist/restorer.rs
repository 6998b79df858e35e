//! Brings back all stored sessions when a node starts.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use sessile_core::{AppId, SessionKey};
use sessile_store::{Record, Scan, ScanPage};
use tokio::time::{sleep, timeout};

use super::loader::Found;
use super::{Persist, translate};
use crate::engine::Engine;

/// Records of one page.
const PAGE: usize = 256;
/// Attempts to read one page of a store that fails, and the time between two.
const ATTEMPTS: (u32, Duration) = (5, Duration::from_millis(500));
/// All attempts to read the first page take so long at most: a node starts though its store is away.
const FIRST_PAGE_MAX: Duration = Duration::from_secs(5);
/// All attempts to read a further page.
const PAGE_MAX: Duration = Duration::from_secs(60);

/// Brings back every session of the applications that `wanted` accepts. What does not fit comes when it is
/// asked for.
pub(super) async fn restore_all(engine: &Arc<Engine>, persist: &Persist, wanted: impl Fn(AppId) -> bool) {
    let (began, mut scan, mut count) = (Instant::now(), Scan::pages_of(PAGE), 0_u64);
    loop {
        let limit = if scan.after.is_none() { FIRST_PAGE_MAX } else { PAGE_MAX };
        let Some(page) = persist.page_within(limit, &scan).await else {
            tracing::error!(
                "not all sessions could be brought back from {}: the others come when they are asked for",
                persist.name()
            );
            return;
        };
        for record in page.records.iter().filter(|record| wanted(AppId::of_path(record.app.as_str()))) {
            count += u64::from(persist.restore(engine, record));
        }
        let Some(next) = page.next else { break };
        scan.after = Some(next);
        tokio::task::yield_now().await;
    }
    tracing::info!("{count} sessions brought back from {} in {:?}", persist.name(), began.elapsed());
}

impl Persist {
    async fn page_within(&self, limit: Duration, scan: &Scan) -> Option<ScanPage> {
        timeout(limit, self.page(scan)).await.unwrap_or_else(|_| {
            self.health.failed("it does not answer");
            None
        })
    }

    async fn page(&self, scan: &Scan) -> Option<ScanPage> {
        for _ in 0..ATTEMPTS.0 {
            match self.store.scan(scan.clone()).await {
                Ok(page) => {
                    page.damaged.iter().for_each(|damaged| self.health.damaged(damaged));
                    page.undecryptable.iter().for_each(|error| self.health.undecryptable(error));
                    self.health.works();
                    return Some(page);
                }
                Err(error) => self.health.error(&error),
            }
            sleep(ATTEMPTS.1).await;
        }
        None
    }

    /// Whether clients carry the sessions of its application: only a remembered end keeps such a session from
    /// coming back.
    fn is_carried(&self, record: &Record) -> bool {
        let policy = self.policies.of(AppId::of_path(record.app.as_str()));
        policy.is_some_and(|policy| policy.carried)
    }

    /// Whether the session is here now.
    fn restore(&self, engine: &Engine, record: &Record) -> bool {
        let key = SessionKey(record.key.0);
        if record.is_ended() && self.is_carried(record) {
            let (app, left) = (AppId::of_path(record.app.as_str()), translate::remembered_for(record));
            engine.node.remember_end(key, app, left, engine.clock.now());
            return false;
        }
        let is_known = engine.node.glance(key, engine.clock.now()).is_some();
        let in_memory = || engine.node.session_count(None);
        if !is_known && (record.is_ended() || self.swap_above.is_some_and(|above| in_memory() >= above)) {
            return false;
        }
        let is_here = self.take(engine, key, record) == Found::Here;
        self.health.restored.fetch_add(u64::from(is_here), Relaxed);
        is_here
    }
}
