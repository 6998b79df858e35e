//! What can be seen of a cluster from one of its nodes: rows for the admin pages, and the view of one
//! application.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use sessile_core::{AppId, Fields, Incarnation, MemberRow, SessionKey, SessionRow};

use super::ClusterNode;
use super::cluster_node::path_of;
use super::engine::Engine;

/// A member as this node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberView {
    /// Its node name.
    pub name: String,
    /// The process.
    pub incarnation: Incarnation,
    /// Where it listens for other members, as `host:port`; empty while that is unknown.
    pub address: String,
    /// `starting`, `returning`, `ready`, `incomplete`, `draining` or `suspected`.
    pub state: &'static str,
    /// Since the newest heartbeat that it answered was sent.
    pub age: Duration,
    /// This node itself.
    pub is_self: bool,
    /// Bytes of changes that it has not confirmed: on the way, and roughly those owed to it instead.
    pub unconfirmed_bytes: u64,
    /// How long the oldest change on the way to it has been so.
    pub unconfirmed_for: Duration,
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

impl ClusterNode {
    /// Every member that this node sees, itself first.
    pub fn members(&self) -> Vec<MemberView> {
        let engine = &self.inner.shared;
        let addresses = self.addresses();
        let now = engine.clock.now();
        let rows = engine.node.members(now).into_iter();
        let backlogs = engine.node.backlogs(now);
        let backlog = |incarnation| backlogs.iter().find(|backlog| backlog.to == incarnation);
        let view = |row: MemberRow| MemberView {
            unconfirmed_bytes: backlog(row.incarnation).map_or(0, |backlog| backlog.bytes),
            unconfirmed_for: backlog(row.incarnation).map_or(Duration::ZERO, |backlog| backlog.age),
            address: addresses.get(&row.incarnation).map(ToString::to_string).unwrap_or_default(),
            name: row.name,
            incarnation: row.incarnation,
            state: row.state,
            age: row.age,
            is_self: row.is_self,
        };
        rows.map(view).collect()
    }

    /// Where the processes that this node has met listen for members, its own address included.
    pub(super) fn addresses(&self) -> BTreeMap<Incarnation, SocketAddr> {
        let own = self.inner.address.map(|address| (self.inner.incarnation, address));
        let peers = self.inner.shared.frame_sender.as_ref().map(|sender| sender.channel.counters().peers);
        let peers =
            peers.into_iter().flatten().map(|peer| (Incarnation(peer.peer.incarnation), peer.peer.address));
        own.into_iter().chain(peers).collect()
    }

    /// A page of the sessions that this node holds, in an order that stays: those after `after`, at most
    /// `limit`.
    pub fn sessions(&self, after: Option<SessionKey>, limit: usize) -> Vec<SessionView> {
        let page = |engine: &Engine| engine.node.sessions(after, limit, engine.clock.now());
        let mut rows: Vec<_> = self.engines().flat_map(|engine| page(engine)).collect();
        rows.sort_by_key(|row| (row.key.shard(), row.key));
        rows.truncate(limit);
        let apps = self.inner.apps.lock();
        let view = |row: SessionRow| SessionView {
            key: row.key,
            app: path_of(&apps, row.app),
            attributes: row.attributes,
            bytes: row.bytes,
            idle: row.idle,
            copies: row.copies,
        };
        rows.into_iter().map(view).collect()
    }

    /// Live sessions of which this node holds a copy.
    pub fn session_count(&self) -> u64 {
        self.engines().map(|engine| engine.node.session_count(None)).sum()
    }

    /// Sessions that have fewer copies than they should.
    pub fn at_risk(&self) -> u64 {
        self.inner.shared.node.at_risk()
    }

    /// This node's own copy of a session of the application. Does not refresh it, fetch it or send anything.
    pub fn peek(&self, app: AppId, key: SessionKey) -> Option<Fields> {
        let copy = self.engine_of(app).node.peek(key);
        copy.filter(|(of, _)| *of == app).map(|(_, fields)| fields)
    }

    /// The application's live sessions of which this node holds a copy.
    pub fn session_count_of(&self, app: AppId) -> u64 {
        self.engine_of(app).node.session_count(Some(app))
    }
}
