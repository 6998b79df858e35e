//! The farm as a state machine: told what happened and when, it says what to do.
//!
//! A deployment has one coordinator, the node where it began. It prepares the archive itself, offers it to every member,
//! and commits when each of them has prepared it or is gone: it switches, keeps that on disk, and tells the others to
//! switch. Whoever missed that learns it from the catalogs that all members tell each other, where the highest stamp
//! wins. A node asks for an archive piece by piece, at its own pace, from whoever has it; so nothing about a transfer is
//! kept by the sender, and one that breaks is asked for again.
//!
//! No clock, no socket, no file, no task: `now` is the time since the node started. Next: `protocol/deployment.rs` for
//! the coordinator, `protocol/pending.rs` for everybody else, `protocol/fetch.rs` for the pieces, `effect.rs` for what is
//! to be done. The tests are the best reading.

mod deployment;
mod effect;
mod fetch;
mod pending;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::archived::{Archived, Digest};
use super::catalog::{Catalog, Entry};
use super::message::{Listed, Message, Order};
use super::seal::Sealer;
use super::stamp::Stamp;
use deployment::Deployment;
pub(crate) use effect::{Effect, NodeResult, Outcome, Took};
use fetch::Fetch;
use pending::Pending;

/// How long a member may be silent before it counts as one without a farm.
const HELLO_TIME: Duration = Duration::from_secs(3);
/// How often the catalog is told to all members, changed or not.
const CATALOG_PERIOD: Duration = Duration::from_secs(5);
/// How long two nodes must differ before that is told: as long as it takes to learn of each other's switch.
const DISAGREE_AFTER: Duration = Duration::from_secs(10);

/// A process of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Member {
    /// The node.
    pub(crate) name: String,
    /// The process.
    pub(crate) incarnation: u32,
}

/// What does not change while a node runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Whether deployments of others are taken that were not offered to this node.
    pub(crate) catch_up: bool,
    /// How long a deployment may take.
    pub(crate) deploy_time: Duration,
    /// Bytes that are asked for at once.
    pub(crate) piece_bytes: u32,
    /// The largest archive that is taken.
    pub(crate) archive_bytes: u64,
}

/// Another member, as far as its farm is known.
#[derive(Debug)]
struct Peer {
    since: Duration,
    /// The newest catalog that it told; `None`: it has said nothing yet.
    told: Option<BTreeMap<String, Listed>>,
}

impl Peer {
    fn tells(&self, path: &str, stamp: Stamp) -> bool {
        let listed = self.told.as_ref().and_then(|told| told.get(path));
        listed.is_some_and(|listed| listed.stamp == stamp)
    }
}

/// One node's part in the farm.
#[derive(Debug)]
pub(crate) struct Protocol {
    me: Member,
    settings: Settings,
    sealer: Sealer,
    catalog: Catalog,
    /// The archives that are kept here, whole.
    shelf: BTreeSet<Digest>,
    peers: BTreeMap<Member, Peer>,
    /// What this node coordinates, by path.
    deployments: BTreeMap<String, Deployment>,
    /// What this node prepares for others, or to catch up.
    pending: BTreeMap<(String, Stamp), Pending>,
    fetches: BTreeMap<Digest, Fetch>,
    /// What others run and this node cannot.
    unusable: BTreeMap<(String, Stamp), String>,
    differing: BTreeMap<(Member, String), Duration>,
    catalog_told: Option<Duration>,
    catalog_changed: bool,
}

impl Protocol {
    /// The node `me`, which has `catalog` and the archives in `shelf`.
    #[must_use]
    pub(crate) fn new(
        me: Member,
        settings: Settings,
        sealer: Sealer,
        mut catalog: Catalog,
        shelf: BTreeSet<Digest>,
    ) -> Self {
        catalog.seal(&sealer);
        Self {
            me,
            settings,
            sealer,
            catalog,
            shelf,
            peers: BTreeMap::new(),
            deployments: BTreeMap::new(),
            pending: BTreeMap::new(),
            fetches: BTreeMap::new(),
            unusable: BTreeMap::new(),
            differing: BTreeMap::new(),
            catalog_told: None,
            catalog_changed: false,
        }
    }

    /// These are the other members now.
    pub(crate) fn members(&mut self, members: &BTreeSet<Member>, now: Duration, effects: &mut Vec<Effect>) {
        let gone: Vec<Member> = self.peers.keys().filter(|peer| !members.contains(peer)).cloned().collect();
        for member in &gone {
            self.peers.remove(member);
            self.differing.retain(|(of, _), _| of != member);
            self.member_left(member, now, effects);
        }
        for member in members.iter().filter(|member| **member != self.me) {
            if !self.peers.contains_key(member) {
                self.peers.insert(member.clone(), Peer { since: now, told: None });
                self.tell_catalog(member, true, effects);
            }
        }
    }

    /// A message came in.
    pub(crate) fn received(
        &mut self,
        from: &Member,
        message: Message,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        match message {
            Message::Catalog { apps, answer } => self.catalog_of(from, apps, answer, now, effects),
            Message::Offer(order) => self.offered(from, order, now, effects),
            Message::Prepared { path, stamp } => self.prepared_there(from, &path, stamp, now, effects),
            Message::Refused { path, stamp, reason } => {
                self.refused_there(from, &path, stamp, reason, effects)
            }
            Message::Activate(order) => self.activate_order(from, order, now, effects),
            Message::Active { path, stamp } => self.active_there(from, &path, stamp, now, effects),
            Message::Abort { path, stamp } => self.aborted(&path, stamp, effects),
            Message::Ask { digest, from: at, bytes } => self.asked(from, digest, at, bytes, effects),
            Message::Missing { digest } => self.missing_there(from, digest, now, effects),
            Message::Piece { digest, from: at, bytes } => self.piece(digest, at, bytes, now, effects),
        }
    }

    /// What was to be prepared is, or cannot be.
    pub(crate) fn prepared(
        &mut self,
        path: &str,
        stamp: Stamp,
        result: Result<(), String>,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        if self.deployments.get(path).is_some_and(|deployment| deployment.order.stamp == stamp) {
            self.prepared_here(path, result, now, effects);
        } else if self.pending.contains_key(&(path.to_owned(), stamp)) {
            self.pending_prepared(path, stamp, result, now, effects);
        } else {
            effects.push(Effect::Discard { path: path.to_owned(), stamp });
        }
    }

    /// Time has passed. To be called a few times a second.
    pub(crate) fn tick(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        self.tick_deployments(now, effects);
        self.tick_pending(now, effects);
        self.tick_fetches(now, effects);
        let is_due = self.catalog_told.is_none_or(|told| now >= told + CATALOG_PERIOD);
        if is_due || std::mem::take(&mut self.catalog_changed) {
            self.catalog_told = Some(now);
            for member in self.peers.keys() {
                self.tell_catalog(member, false, effects);
            }
        }
        self.note_differences(now);
        let peers = &self.peers;
        self.unusable.retain(|(path, stamp), _| peers.values().any(|peer| peer.tells(path, *stamp)));
    }

    /// What is deployed.
    #[must_use]
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// This node has switched at `path`, at that time by the clock on the wall.
    pub(crate) fn switched(&mut self, path: &str, since_ms: u64) {
        if let Some(entry) = self.catalog.apps.get_mut(path) {
            entry.since_ms = since_ms;
        }
    }

    /// What was taken from the watched directory at `path`; `None`: the file is gone.
    pub(crate) fn watched(&mut self, path: &str, digest: Option<Digest>) {
        match digest {
            Some(digest) => self.catalog.watched.insert(path.to_owned(), digest),
            None => self.catalog.watched.remove(path),
        };
    }

    /// An archive was put on the shelf of this node.
    pub(crate) fn shelved(&mut self, digest: Digest) {
        self.shelf.insert(digest);
    }

    /// The archives that are still needed; from now on the others are not here any more.
    pub(crate) fn keep_needed(&mut self) -> BTreeSet<Digest> {
        let ordered = self.deployments.values().filter_map(|deployment| deployment.order.archive.as_ref());
        let awaited = self.pending.values().filter_map(|pending| pending.order.archive.as_ref());
        let digests = ordered.chain(awaited).map(|archive| archive.digest);
        let needed: BTreeSet<Digest> = digests.chain(self.catalog.digests()).collect();
        self.shelf.retain(|digest| needed.contains(digest));
        needed
    }

    /// Whether something is being deployed at `path`, here or by another node.
    #[must_use]
    pub(crate) fn is_busy(&self, path: &str) -> bool {
        self.deployments.contains_key(path) || self.pending.keys().any(|(busy, _)| busy == path)
    }

    /// Whether this node has what the members have, as far as they told it in time.
    #[must_use]
    pub(crate) fn has_caught_up(&self, now: Duration) -> bool {
        let heard = |peer: &Peer| peer.told.is_some() || now >= peer.since + HELLO_TIME;
        self.peers.values().all(heard) && self.pending.values().all(|pending| !pending.adopted)
    }

    /// What each other member told that it runs at `path`; members without a farm are not among them.
    pub(crate) fn elsewhere<'a>(
        &'a self,
        path: &'a str,
    ) -> impl Iterator<Item = (&'a str, Option<&'a Archived>)> {
        let told = self.peers.iter().filter_map(|(member, peer)| Some((member, peer.told.as_ref()?)));
        told.map(move |(member, apps)| {
            (member.name.as_str(), apps.get(path).and_then(|listed| listed.archive.as_ref()))
        })
    }

    /// What an operator should know: what differs for longer than a switch takes, and what cannot run here.
    #[must_use]
    pub(crate) fn warnings(&self, now: Duration) -> Vec<String> {
        let old = self.differing.iter().filter(|(_, since)| now >= **since + DISAGREE_AFTER);
        let words = |archive: Option<&Archived>| {
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
            .chain(
                unusable
                    .map(|((path, _), why)| format!("{path} of the other members cannot run here: {why}")),
            )
            .collect()
    }

    /// Counts of what goes on: deployments that this node coordinates, and those it prepares.
    #[must_use]
    pub(crate) fn under_way(&self) -> usize {
        self.deployments.len() + self.pending.len()
    }

    fn tell_catalog(&self, to: &Member, answer: bool, effects: &mut Vec<Effect>) {
        let listed = self.catalog.apps.iter().map(|(path, entry)| {
            let Entry { stamp, archive, seal, .. } = entry.clone();
            (path.clone(), Listed { stamp, archive, seal })
        });
        effects.push(Effect::send(to, Message::Catalog { apps: listed.collect(), answer }));
    }

    fn catalog_of(
        &mut self,
        from: &Member,
        apps: BTreeMap<String, Listed>,
        answer: bool,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        if answer {
            self.tell_catalog(from, false, effects);
        }
        // A process that this node does not see as a member is heard when it is one.
        let Some(peer) = self.peers.get_mut(from) else { return };
        peer.told = Some(apps.clone());
        if self.settings.catch_up {
            for (path, Listed { stamp, archive, seal }) in apps {
                self.learn(from, Order { path, stamp, archive, seal }, now, effects);
            }
        }
    }

    /// The stamp of a deployment that begins now: above all that this node knows of at that path.
    fn next_stamp(&self, path: &str) -> Stamp {
        let told = self.peers.values().filter_map(|peer| Some(peer.told.as_ref()?.get(path)?.stamp));
        let pending = self.pending.keys().filter(|(of, _)| of == path).map(|(_, stamp)| *stamp);
        let highest = told.chain(pending).chain([self.catalog.stamp(path)]).max().unwrap_or_default();
        Stamp { counter: highest.counter.saturating_add(1), incarnation: self.me.incarnation }
    }

    /// From now on this holds at its path; what was prepared for less is of no use any more.
    fn switch(&mut self, order: Order, effects: &mut Vec<Effect>) {
        let (path, stamp) = (order.path.clone(), order.stamp);
        self.catalog.put(order.clone());
        self.catalog_changed = true;
        self.unusable.retain(|(at, under), _| *at != path || *under > stamp);
        effects.push(Effect::Activate(order));
        let over = self.pending.keys().filter(|(at, under)| *at == path && *under <= stamp);
        for (at, under) in over.cloned().collect::<Vec<_>>() {
            self.drop_pending(&at, under, under != stamp, effects);
        }
    }

    /// Notes since when who differs; what two nodes do not both know of each other cannot differ.
    fn note_differences(&mut self, now: Duration) {
        let mut differing = BTreeMap::new();
        for (member, peer) in &self.peers {
            let Some(told) = &peer.told else { continue };
            let paths: BTreeSet<&String> = told.keys().chain(self.catalog.apps.keys()).collect();
            for path in paths {
                let theirs = told.get(path).and_then(|listed| listed.archive.as_ref());
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
