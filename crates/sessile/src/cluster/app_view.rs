//! The view that one application has of its own sessions.

use std::sync::Arc;

use sessile_core::{AppId, Fields, SessionKey};
use sessile_node::{Listening, Notification, Scope};
use sessile_web::Statistics;

use super::Cluster;

/// What an application may know of itself on this node: for measuring, and without touching any session.
#[derive(Clone)]
pub struct AppView {
    cluster: Cluster,
    app: AppId,
}

impl AppView {
    pub(crate) fn new(cluster: Cluster, app: AppId) -> Self {
        Self { cluster, app }
    }

    /// This node's own copy of one of the application's sessions. Does not refresh it, fetch it or send
    /// anything.
    pub fn peek(&self, key: SessionKey) -> Option<Fields> {
        self.cluster.peek(self.app, key)
    }

    /// The application's live sessions of which this node holds a copy.
    pub fn session_count(&self) -> u64 {
        self.cluster.session_count_of(self.app)
    }

    /// The members that this node sees, without itself.
    pub fn other_members(&self) -> usize {
        self.cluster.members().iter().filter(|member| !member.is_self).count()
    }

    /// What the application's session layer did so far; nothing while there is none.
    pub fn statistics(&self) -> Arc<Statistics> {
        self.cluster.statistics_of(self.app)
    }

    /// As [`listen`](sessile_node::ClusterNode::listen), for the sessions of this application alone.
    ///
    /// # Panics
    /// When the system lets this process start no thread.
    pub fn listen(
        &self,
        scope: Scope,
        listener: impl Fn(&Notification) + Send + Sync + 'static,
    ) -> Listening {
        self.cluster.listen_to(self.app, scope, listener)
    }
}
