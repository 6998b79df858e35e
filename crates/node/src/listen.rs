//! Listening to sessions, in the words of applications.

use std::fmt;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use sessile_core::{AppId, Notice, SessionChange, SessionKey};

use super::ClusterNode;
use super::cluster_node::{Apps, path_of};
use super::engine::Engine;
use super::listeners::Call;

/// Which nodes a change is told on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// On the node that made it; for the expiry of a session, on the node that ended it.
    ActingNode,
    /// On every node that holds a copy of the session. Those that learned of the change from another one are
    /// told that it is [`remote`](Notification::remote). (Tomcat: `notifyListenersOnReplication`.)
    EveryNode,
}

/// What a listener is told: facts alone, never a value, never a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notification {
    /// The session, by what names it in logs and on admin pages.
    pub key: SessionKey,
    /// The context path of its application, or `app:` and a number where this node has no such application.
    pub app: String,
    /// What happened to it.
    pub change: SessionChange,
    /// The same on every node and at every repetition, and in all likelihood of no other change: what tells
    /// an end that is told twice from two ends.
    pub event_id: u64,
    /// Another node did it. False when this node did it, and when it speaks for the node that did and died.
    pub remote: bool,
}

/// As long as this lives, the listener is told.
#[must_use = "dropping it ends the listening"]
pub struct Listening(Vec<Place>);

/// A listener's place at one node.
struct Place {
    engine: Weak<Engine>,
    number: u64,
}

impl ClusterNode {
    /// Calls `listener` for what happens to the sessions of all applications, on a thread that all listeners
    /// share. See [`listen_to`](Self::listen_to) for those of one.
    ///
    /// Each change that this node applies is told once, in the order in which it applied those of that
    /// session, soon after and without making anybody wait. What the node held when it became ready is not
    /// told. A listener that panics is logged and counted. One that is so slow that 65,536 notifications wait
    /// makes this node wait for it, so hand what takes long to a task of your own. [`leave`](Self::leave)
    /// waits until all is told.
    ///
    /// A `Cluster` that `listener` keeps holds this node alive: keep the [`Listening`] where both are
    /// dropped.
    ///
    /// ```
    /// # use sessile_node::{ClusterNode, Listening, Scope};
    /// # fn log(cluster: &ClusterNode) -> Listening {
    /// cluster.listen(Scope::EveryNode, |told| {
    ///     let place = if told.remote { "elsewhere" } else { "here" };
    ///     tracing::info!("session {} of {}: {:?} {place}", told.key, told.app, told.change);
    /// })
    /// # }
    /// ```
    ///
    /// # Panics
    /// When the system lets this process start no thread.
    pub fn listen(
        &self,
        scope: Scope,
        listener: impl Fn(&Notification) + Send + Sync + 'static,
    ) -> Listening {
        let call = call(&self.inner.apps, scope, None, listener);
        Listening(self.engines().map(|engine| Place::take(engine, Arc::clone(&call))).collect())
    }
}

impl ClusterNode {
    /// As [`listen`](Self::listen), for the sessions of one application alone.
    ///
    /// # Panics
    /// When the system lets this process start no thread.
    pub fn listen_to(
        &self,
        app: AppId,
        scope: Scope,
        listener: impl Fn(&Notification) + Send + Sync + 'static,
    ) -> Listening {
        let call = call(&self.inner.apps, scope, Some(app), listener);
        Listening(vec![Place::take(&self.engine_of(app), call)])
    }
}

/// What is called for every notice: tells `listener` what it wants to know.
fn call(
    apps: &Arc<Mutex<Apps>>,
    scope: Scope,
    only: Option<AppId>,
    listener: impl Fn(&Notification) + Send + Sync + 'static,
) -> Arc<Call> {
    let apps = Arc::clone(apps);
    Arc::new(move |notice: &Notice| {
        let in_scope = scope == Scope::EveryNode || !notice.remote;
        if in_scope && only.is_none_or(|app| app == notice.app) {
            // Not in the call, which would hold the lock for as long as the listener takes.
            let path = path_of(&apps.lock(), notice.app);
            listener(&Notification {
                key: notice.key,
                app: path,
                change: notice.change.clone(),
                event_id: notice.event_id,
                remote: notice.remote,
            });
        }
    })
}

impl Place {
    fn take(engine: &Arc<Engine>, call: Arc<Call>) -> Self {
        let number = engine.listeners.add(call, &engine.node);
        Self { engine: Arc::downgrade(engine), number }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        for Place { engine, number } in &self.0 {
            if let Some(engine) = engine.upgrade() {
                engine.listeners.remove(*number, &engine.node);
            }
        }
    }
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listening").finish_non_exhaustive()
    }
}
