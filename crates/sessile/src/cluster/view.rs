//! What can be seen of a cluster from one of its nodes: rows for the admin pages, and the view of one application.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{AppId, Boot, Fields, SessionKey};

use super::Cluster;
use crate::web::Statistics;

/// A member as this node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberView {
    /// Its node name.
    pub name: String,
    /// The process.
    pub boot: Boot,
    /// Where it listens for other members, as `host:port`; empty while that is unknown.
    pub address: String,
    /// `starting`, `returning`, `ready`, `incomplete`, `draining` or `suspected`.
    pub state: &'static str,
    /// Since the newest heartbeat that it answered was sent.
    pub age: Duration,
    /// This node itself.
    pub is_self: bool,
}

/// A session as the admin pages show it: never its secret, never a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// The session.
    pub key: SessionKey,
    /// The context path of its application, or `app:` and a number where this node has no such application.
    pub app: String,
    /// Its attributes.
    pub attributes: usize,
    /// Bytes of names and values.
    pub bytes: usize,
    /// Since its last use, by this node's clock.
    pub idle: Duration,
    /// Complete copies that this node knows of, its own included.
    pub copies: u32,
}

/// What an application may know of itself on this node: for measuring, and without touching any session.
#[derive(Clone)]
pub struct AppView {
    cluster: Cluster,
    app: AppId,
}

impl AppView {
    pub(super) fn new(cluster: Cluster, app: AppId) -> Self {
        Self { cluster, app }
    }

    /// This node's own copy of one of the application's sessions. Does not refresh it, fetch it or send anything.
    pub fn peek(&self, key: SessionKey) -> Option<Fields> {
        let copy = self.cluster.engine_of(self.app).node.peek(key);
        copy.filter(|(app, _)| *app == self.app).map(|(_, fields)| fields)
    }

    /// The application's live sessions of which this node holds a copy.
    pub fn session_count(&self) -> u64 {
        self.cluster.engine_of(self.app).node.session_count(Some(self.app))
    }

    /// The members that this node sees, without itself.
    pub fn other_members(&self) -> usize {
        self.cluster.members().iter().filter(|member| !member.is_self).count()
    }

    /// What the application's session layer did so far; nothing while there is none.
    pub fn statistics(&self) -> Arc<Statistics> {
        self.cluster.statistics_of(self.app)
    }
}
