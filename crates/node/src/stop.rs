//! A graceful stop: announced, worked off, and said goodbye. In that order, because who leaves first
//! acknowledges requests that nobody receives any more.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::AppId;
use tokio::time::{Instant, sleep, timeout};

use super::ClusterNode;
use super::cluster_node::Known;
use super::error::{DrainIncomplete, MemberBacklog};
use super::host::SessionHost;
use sessile_config::Manager;

/// How often a draining node looks whether anything is left to do.
const DRAIN_POLL: Duration = Duration::from_millis(20);

impl ClusterNode {
    /// Announces that this node goes, so that balancers choose others, and waits until no request runs here
    /// and every member has everything. The node stays a member and goes on serving what still comes.
    /// Dropping the future does not undo the announcement.
    ///
    /// # Errors
    /// After `at_most` something was left; the error lists it.
    pub async fn drain(&self, at_most: Duration) -> Result<(), DrainIncomplete> {
        let until = Instant::now() + at_most;
        for engine in self.engines() {
            engine.step(|node, now, effects| node.drain(now, effects));
        }
        loop {
            let left = self.left_to_do();
            if left.requests == 0 && left.backlogs.is_empty() && left.unsaved == 0 {
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(left);
            }
            sleep(DRAIN_POLL).await;
        }
    }

    /// Sessions that go with this node if it stops now: no other member is ready, and so none is known to
    /// hold them all, and there is no store that keeps them. Those do not count that are meant to stay on
    /// their node or to end with it. A member that has not joined yet does not count as a holder.
    pub fn only_here(&self) -> u64 {
        let shared = &self.inner.shared;
        let has_holder = self.members().iter().any(|member| !member.is_self && member.state == "ready");
        if shared.frame_sender.is_none() || shared.persist.get().is_some() || has_holder {
            return 0;
        }
        let expiring = self.apps_that_expire().into_iter().map(|app| shared.node.session_count(Some(app)));
        shared.node.session_count(None).saturating_sub(expiring.sum())
    }

    /// The same, after the members that are about to be ready had this time for it.
    pub async fn only_here_within(&self, at_most: Duration) -> u64 {
        let until = Instant::now() + at_most;
        loop {
            let only_here = self.only_here();
            let is_coming = |state| matches!(state, "starting" | "returning" | "suspected");
            let waits = self.members().iter().any(|member| !member.is_self && is_coming(member.state));
            if only_here == 0 || !waits || Instant::now() >= until {
                return only_here;
            }
            sleep(DRAIN_POLL).await;
        }
    }

    /// Says goodbye, sends what still waits, closes all links, waits until listeners know everything and ends
    /// this node's tasks. From now on its session layers answer 503. Call [`drain`](Self::drain) before.
    /// First the sessions end that `expire_on_stop` says.
    pub async fn leave(&self) {
        self.end_own_sessions(self.apps_that_expire()).await;
        self.save_the_rest().await;
        for engine in self.engines() {
            engine.step(|node, now, effects| node.leave(now, effects));
        }
        if let Some(sender) = &self.inner.shared.frame_sender {
            sender.channel.stop().await;
        }
        for engine in self.engines() {
            engine.listeners.everything_notified().await;
        }
        self.inner.tasks.abort();
        self.inner.shared.post.close();
        if let Some(persist) = self.inner.shared.persist.get() {
            persist.close().await;
        }
    }

    /// The application at `app_path` is not run by this node any more; call it when its last request is over.
    /// With `expire_on_stop` its sessions end that this node wrote last; the others stay as long as they
    /// would have.
    pub async fn end_app(&self, app_path: &str) {
        let app = AppId::of_path(app_path);
        let known = self.inner.apps.lock().remove(&app);
        if known.is_some_and(|known| known.expires && known.manager != Manager::Local) {
            self.end_own_sessions(vec![app]).await;
        }
    }

    /// What changed since the drain, or all that changed where there was none.
    async fn save_the_rest(&self) {
        let until = Instant::now() + self.config().store.timeout;
        while self.unsaved() > 0 && Instant::now() < until {
            sleep(DRAIN_POLL).await;
        }
        let unsaved = self.unsaved();
        if unsaved > 0 {
            tracing::error!("{unsaved} sessions are not in the store in their newest version");
        }
    }

    /// Saves everything at once from now on; how many sessions the store still lacks.
    fn unsaved(&self) -> usize {
        self.persists().map(|(_, persist)| persist.flush()).sum()
    }

    /// Ends, on every node, the sessions of these applications that this node wrote last.
    async fn end_own_sessions(&self, apps: Vec<AppId>) {
        if apps.is_empty() {
            return;
        }
        let host = SessionHost::new(Arc::clone(&self.inner.shared), Arc::clone(&self.inner.tasks));
        let keys = host.last_written_here(&apps);
        let ended: Vec<_> = keys.iter().map(|key| host.end(*key)).collect();
        let confirmed = async {
            for settlement in ended {
                settlement.receipt().await;
            }
        };
        let patience = self.config().membership.drop_time;
        match timeout(patience, confirmed).await {
            Ok(()) => tracing::info!("expire_on_stop: {} sessions ended", keys.len()),
            Err(_) => tracing::warn!(
                "expire_on_stop: {} sessions ended, and not every member confirmed it within {patience:?}",
                keys.len()
            ),
        }
    }

    /// The applications whose sessions end with their node.
    fn apps_that_expire(&self) -> Vec<AppId> {
        let expires = |known: &Known| known.manager != Manager::Local && known.expires;
        let apps = self.inner.apps.lock();
        apps.iter().filter(|(_, known)| expires(known)).map(|(app, _)| *app).collect()
    }

    fn left_to_do(&self) -> DrainIncomplete {
        let engine = &self.inner.shared;
        let now = engine.clock.now();
        let names = engine.node.members(now);
        let name =
            |incarnation| names.iter().find(|row| row.incarnation == incarnation).map(|row| row.name.clone());
        let backlogs = engine.node.backlogs(now).into_iter().map(|backlog| MemberBacklog {
            member: name(backlog.to).unwrap_or_else(|| backlog.to.to_string()),
            sessions: backlog.sessions,
            unacknowledged: backlog.unacknowledged,
        });
        DrainIncomplete {
            requests: self.engines().map(|engine| engine.running()).sum(),
            backlogs: backlogs.collect(),
            unsaved: self.unsaved(),
        }
    }
}
