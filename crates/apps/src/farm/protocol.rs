//! The farm as a state machine: inputs are events and the time, outputs are effects.
//!
//! A deployment has one coordinator, the node where it began. The coordinator prepares the archive, offers it
//! to every member, and commits when each member has prepared it or left: it switches, saves the catalog, and
//! sends the order to switch. A member that missed the order learns it from the catalogs that all members
//! exchange, in which the highest timestamp wins. A node fetches an archive piece by piece, at its own pace,
//! from any member that has it. The sender keeps no state of a transfer, and a broken transfer is resumed by
//! further requests.
//!
//! No clock, no socket, no file, no task: `now` is the time since the node started. Next:
//! `protocol/deployment.rs` for the coordinator, `protocol/pending.rs` for the other members,
//! `protocol/fetch.rs` for the pieces, `effect.rs` for the effects. The tests show the protocol best.

mod deployment;
mod effect;
mod fetch;
mod pending;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::archive_ref::{ArchiveRef, Digest};
use super::catalog::{Catalog, CatalogEntry};
use super::deploy_timestamp::DeployTimestamp;
use super::message::{AnnouncedEntry, DeployOrder, Message};
use super::seal::Sealer;
use deployment::Deployment;
pub(crate) use effect::{DeployOutcome, DeployTimes, Effect, NodeResult};
use fetch::Fetch;
use pending::Pending;

/// A member that sent no catalog for this long counts as a member without a farm.
const HELLO_TIME: Duration = Duration::from_secs(3);
/// Interval at which the catalog is sent to all members, changed or not.
const CATALOG_PERIOD: Duration = Duration::from_secs(5);
/// Two nodes must differ for this long before a warning: members need time to learn of each other's switch.
const DISAGREE_AFTER: Duration = Duration::from_secs(10);

/// A process of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FarmMember {
    /// The node.
    pub(crate) name: String,
    /// The process.
    pub(crate) incarnation: u32,
}

/// Constant settings of a running node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FarmSettings {
    /// Whether this node adopts deployments that were not offered to it.
    pub(crate) catch_up: bool,
    /// Time limit of a deployment.
    pub(crate) deploy_time: Duration,
    /// Bytes of one requested piece.
    pub(crate) piece_bytes: u32,
    /// The largest accepted archive.
    pub(crate) archive_bytes: u64,
}

/// The known state of another member's farm.
#[derive(Debug)]
struct FarmPeer {
    since: Duration,
    /// The newest catalog of the member; `None` before the first one.
    catalog: Option<BTreeMap<String, AnnouncedEntry>>,
}

impl FarmPeer {
    /// The announced timestamp of a path; the lowest for an unknown path.
    fn timestamp(&self, path: &str) -> DeployTimestamp {
        let listed = self.catalog.as_ref().and_then(|catalog| catalog.get(path));
        listed.map(|listed| listed.timestamp).unwrap_or_default()
    }

    fn announces(&self, path: &str, timestamp: DeployTimestamp) -> bool {
        let listed = self.catalog.as_ref().and_then(|catalog| catalog.get(path));
        listed.is_some_and(|listed| listed.timestamp == timestamp)
    }
}

/// The state machine of one node.
#[derive(Debug)]
pub(crate) struct Protocol {
    me: FarmMember,
    settings: FarmSettings,
    sealer: Sealer,
    catalog: Catalog,
    /// The complete archives in this node's store.
    store: BTreeSet<Digest>,
    peers: BTreeMap<FarmMember, FarmPeer>,
    /// The deployments that this node coordinates, by path.
    deployments: BTreeMap<String, Deployment>,
    /// The deployments that this node prepares for others, or to catch up.
    pending: BTreeMap<(String, DeployTimestamp), Pending>,
    fetches: BTreeMap<Digest, Fetch>,
    /// Deployments of other members that cannot run on this node, with the reason.
    unusable: BTreeMap<(String, DeployTimestamp), String>,
    differing: BTreeMap<(FarmMember, String), Duration>,
    catalog_sent: Option<Duration>,
}

impl Protocol {
    /// Creates the machine of the node `me`, with `catalog` and the archives in `store`.
    #[must_use]
    pub(crate) fn new(
        me: FarmMember,
        settings: FarmSettings,
        sealer: Sealer,
        mut catalog: Catalog,
        store: BTreeSet<Digest>,
    ) -> Self {
        catalog.seal(&sealer);
        Self {
            me,
            settings,
            sealer,
            catalog,
            store,
            peers: BTreeMap::new(),
            deployments: BTreeMap::new(),
            pending: BTreeMap::new(),
            fetches: BTreeMap::new(),
            unusable: BTreeMap::new(),
            differing: BTreeMap::new(),
            catalog_sent: None,
        }
    }

    /// Sets the other members.
    pub(crate) fn members(
        &mut self,
        members: &BTreeSet<FarmMember>,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let gone: Vec<FarmMember> =
            self.peers.keys().filter(|peer| !members.contains(peer)).cloned().collect();
        for member in &gone {
            self.peers.remove(member);
            self.differing.retain(|(of, _), _| of != member);
            self.member_left(member, now, effects);
        }
        for member in members.iter().filter(|member| **member != self.me) {
            if !self.peers.contains_key(member) {
                self.peers.insert(member.clone(), FarmPeer { since: now, catalog: None });
                self.send_catalog(member, true, effects);
            }
        }
    }

    /// Processes a message.
    pub(crate) fn received(
        &mut self,
        from: &FarmMember,
        message: Message,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        match message {
            Message::Catalog { apps, answer } => self.catalog_of(from, apps, answer, now, effects),
            Message::Offer(order) => self.offered(from, order, now, effects),
            Message::Prepared { path, timestamp } => {
                self.prepared_there(from, &path, timestamp, now, effects)
            }
            Message::Refused { path, timestamp, reason } => {
                self.refused_there(from, &path, timestamp, reason, effects)
            }
            Message::Activate(order) => self.activate_order(from, order, now, effects),
            Message::Active { path, timestamp } => self.active_there(from, &path, timestamp, now, effects),
            Message::Abort { path, timestamp } => self.aborted(&path, timestamp, effects),
            Message::Ask { digest, from: at, bytes } => self.asked(from, digest, at, bytes, effects),
            Message::Missing { digest } => self.missing_there(from, digest, now, effects),
            Message::Piece { digest, from: at, bytes } => self.piece(digest, at, bytes, now, effects),
        }
    }

    /// Processes the result of a preparation.
    pub(crate) fn prepared(
        &mut self,
        path: &str,
        timestamp: DeployTimestamp,
        result: Result<(), String>,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        if self.deployments.get(path).is_some_and(|deployment| deployment.order.timestamp == timestamp) {
            self.prepared_here(path, result, now, effects);
        } else if self.pending.contains_key(&(path.to_owned(), timestamp)) {
            self.pending_prepared(path, timestamp, result, now, effects);
        } else {
            effects.push(Effect::Discard { path: path.to_owned(), timestamp });
        }
    }

    /// Processes the passing of time. Call it a few times a second.
    pub(crate) fn tick(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        self.tick_deployments(now, effects);
        self.tick_pending(now, effects);
        self.tick_fetches(now, effects);
        let is_due = self.catalog_sent.is_none_or(|sent| now >= sent + CATALOG_PERIOD);
        if is_due {
            self.catalog_sent = Some(now);
            self.announce(effects);
        }
        self.note_differences(now);
        let peers = &self.peers;
        self.unusable
            .retain(|(path, timestamp), _| peers.values().any(|peer| peer.announces(path, *timestamp)));
    }

    /// The catalog.
    #[must_use]
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Records that this node switched at `path`, with the wall clock time.
    pub(crate) fn switched(&mut self, path: &str, since_ms: u64) {
        if let Some(entry) = self.catalog.apps.get_mut(path) {
            entry.since_ms = since_ms;
        }
    }

    /// Records the archive taken from the watched directory at `path`; `None` if the file is gone.
    pub(crate) fn watched(&mut self, path: &str, digest: Option<Digest>) {
        match digest {
            Some(digest) => self.catalog.watched.insert(path.to_owned(), digest),
            None => self.catalog.watched.remove(path),
        };
    }

    /// Records that an archive is in this node's store.
    pub(crate) fn archive_stored(&mut self, digest: Digest) {
        self.store.insert(digest);
    }

    /// The needed archives; the machine forgets all others.
    pub(crate) fn keep_needed(&mut self) -> BTreeSet<Digest> {
        let ordered = self.deployments.values().filter_map(|deployment| deployment.order.archive.as_ref());
        let awaited = self.pending.values().filter_map(|pending| pending.order.archive.as_ref());
        let digests = ordered.chain(awaited).map(|archive| archive.digest);
        let needed: BTreeSet<Digest> = digests.chain(self.catalog.digests()).collect();
        self.store.retain(|digest| needed.contains(digest));
        needed
    }

    /// Whether a deployment of `path` is under way, on this or another node.
    #[must_use]
    pub(crate) fn is_busy(&self, path: &str) -> bool {
        self.deployments.contains_key(path) || self.pending.keys().any(|(busy, _)| busy == path)
    }

    /// Whether this node has caught up with the catalogs of the members that answered in time.
    #[must_use]
    pub(crate) fn has_caught_up(&self, now: Duration) -> bool {
        let heard = |peer: &FarmPeer| peer.catalog.is_some() || now >= peer.since + HELLO_TIME;
        self.peers.values().all(heard) && self.pending.values().all(|pending| !pending.adopted)
    }

    /// The announced state of `path` on each other member with a farm.
    pub(crate) fn elsewhere<'a>(
        &'a self,
        path: &'a str,
    ) -> impl Iterator<Item = (&'a str, Option<&'a ArchiveRef>)> {
        let catalog = self.peers.iter().filter_map(|(member, peer)| Some((member, peer.catalog.as_ref()?)));
        catalog.map(move |(member, apps)| {
            (member.name.as_str(), apps.get(path).and_then(|listed| listed.archive.as_ref()))
        })
    }

    /// Warnings for operators: differences that last longer than a switch, and archives that cannot run on
    /// this node.
    #[must_use]
    pub(crate) fn warnings(&self, now: Duration) -> Vec<String> {
        let old = self.differing.iter().filter(|(_, since)| now >= **since + DISAGREE_AFTER);
        let words = |archive: Option<&ArchiveRef>| {
            archive.map_or("nothing".to_owned(), |it| format!("{:?}", it.digest))
        };
        let differing = old.map(|((member, path), _)| {
            let theirs =
                self.elsewhere(path).find(|(name, _)| *name == member.name).and_then(|(_, archive)| archive);
            let (mine, theirs) = (words(self.catalog.active(path)), words(theirs));
            format!(
                "members disagree about {path}: {} runs {mine}, {} runs {theirs}",
                self.me.name, member.name
            )
        });
        let unusable = self.unusable.iter();
        differing
            .chain(unusable.map(|((path, _), why)| {
                format!("{path} of the other members cannot run on this node: {why}")
            }))
            .collect()
    }

    /// Number of deployments under way: coordinated and prepared by this node.
    #[must_use]
    pub(crate) fn under_way(&self) -> usize {
        self.deployments.len() + self.pending.len()
    }

    /// A member confirmed that it switched, or ordered the switch after its own; its catalog follows.
    fn runs_there(&mut self, member: &FarmMember, order: DeployOrder) {
        let Some(peer) = self.peers.get_mut(member) else { return };
        if peer.timestamp(&order.path) < order.timestamp {
            let DeployOrder { path, timestamp, archive, seal } = order;
            let catalog = peer.catalog.get_or_insert_default();
            catalog.insert(path, AnnouncedEntry { timestamp, archive, seal });
        }
    }

    fn announce(&self, effects: &mut Vec<Effect>) {
        for member in self.peers.keys() {
            self.send_catalog(member, false, effects);
        }
    }

    fn send_catalog(&self, to: &FarmMember, answer: bool, effects: &mut Vec<Effect>) {
        let listed = self.catalog.apps.iter().map(|(path, entry)| {
            let CatalogEntry { timestamp, archive, seal, .. } = entry.clone();
            (path.clone(), AnnouncedEntry { timestamp, archive, seal })
        });
        effects.push(Effect::send(to, Message::Catalog { apps: listed.collect(), answer }));
    }

    fn catalog_of(
        &mut self,
        from: &FarmMember,
        apps: BTreeMap<String, AnnouncedEntry>,
        answer: bool,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        if answer {
            self.send_catalog(from, false, effects);
        }
        // Ignore processes that are not members yet.
        let Some(peer) = self.peers.get_mut(from) else { return };
        peer.catalog = Some(apps.clone());
        if self.settings.catch_up {
            for (path, AnnouncedEntry { timestamp, archive, seal }) in apps {
                self.learn(from, DeployOrder { path, timestamp, archive, seal }, now, effects);
            }
        }
    }

    /// The timestamp of a new deployment: above every known timestamp of the path.
    fn next_timestamp(&self, path: &str) -> DeployTimestamp {
        let catalog =
            self.peers.values().filter_map(|peer| Some(peer.catalog.as_ref()?.get(path)?.timestamp));
        let pending = self.pending.keys().filter(|(of, _)| of == path).map(|(_, timestamp)| *timestamp);
        let highest = catalog.chain(pending).chain([self.catalog.timestamp(path)]).max().unwrap_or_default();
        DeployTimestamp { counter: highest.counter.saturating_add(1), incarnation: self.me.incarnation }
    }

    /// Makes an order current at its path; preparations with lower timestamps are dropped.
    fn switch(&mut self, order: DeployOrder, effects: &mut Vec<Effect>) {
        let (path, timestamp) = (order.path.clone(), order.timestamp);
        self.catalog.put(order.clone());
        self.unusable.retain(|(at, under), _| *at != path || *under > timestamp);
        effects.push(Effect::Activate(order));
        // At once: who asks any member straight after a deployment is told what runs.
        self.announce(effects);
        let over = self.pending.keys().filter(|(at, under)| *at == path && *under <= timestamp);
        for (at, under) in over.cloned().collect::<Vec<_>>() {
            self.drop_pending(&at, under, under != timestamp, effects);
        }
    }

    /// Records since when nodes differ. Nodes that have not exchanged catalogs do not count as different.
    fn note_differences(&mut self, now: Duration) {
        let mut differing = BTreeMap::new();
        for (member, peer) in &self.peers {
            let Some(catalog) = &peer.catalog else { continue };
            let paths: BTreeSet<&String> = catalog.keys().chain(self.catalog.apps.keys()).collect();
            for path in paths {
                let theirs = catalog.get(path).and_then(|listed| listed.archive.as_ref());
                if theirs.map(|it| it.digest) != self.catalog.active(path).map(|it| it.digest) {
                    let key = (member.clone(), path.clone());
                    let since = self.differing.get(&key).copied().unwrap_or(now);
                    differing.insert(key, since);
                }
            }
        }
        self.differing = differing;
    }
}
