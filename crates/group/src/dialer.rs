//! Which addresses are dialed, and what follows from the answers: the one task that decides.
//!
//! Sightings, callers, answers to dialing and lost links come in; dialing, links and events go out.
//! Everything that is told about a process is told from here, so its order is right.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use crate::contact::Contact;
use crate::event::Event;
use crate::group_state::GroupState;
use crate::handshake::{DialError, Met, dial};
use crate::handshake_refusal::HandshakeRefusal;
use crate::identity::Peer;
use crate::link;
use crate::membership::Sighting;
use crate::route::{Route, Sought};
use crate::search::Search;
use crate::wire::Wire;

/// How many addresses are known at once; when they are more, idle ones are forgotten first.
const ROUTES_MAX: usize = 1024;
/// How many addresses are dialed at once.
const DIALS_MAX: usize = 64;

/// Decides whom to dial, and tells who is there.
pub(crate) struct Dialer {
    node: Arc<GroupState>,
    routes: HashMap<SocketAddr, Route>,
    linked: HashMap<u32, Linked>,
    dials: JoinSet<(SocketAddr, Result<Met, DialError>)>,
    links: JoinSet<Arc<Contact>>,
    search: Option<Search>,
}

/// A link that is up.
struct Linked {
    contact: Arc<Contact>,
    task: AbortHandle,
    through: SocketAddr,
    since: Instant,
}

impl Dialer {
    pub(crate) fn new(node: Arc<GroupState>) -> Self {
        let search = Some(Search::new(node.options.search_timeout));
        Self {
            node,
            routes: HashMap::new(),
            linked: HashMap::new(),
            dials: JoinSet::new(),
            links: JoinSet::new(),
            search,
        }
    }

    /// Runs until `stopped`, then gives the links that are still up, already told to finish.
    pub(crate) async fn run(
        mut self,
        mut sightings: mpsc::Receiver<Sighting>,
        mut callers: mpsc::Receiver<Peer>,
        stopped: impl Future<Output = ()>,
    ) -> JoinSet<Arc<Contact>> {
        tokio::pin!(stopped);
        loop {
            let due = self.next_due();
            tokio::select! {
                () = &mut stopped => break,
                Some(sighting) = sightings.recv() => self.sighted(sighting),
                Some(peer) = callers.recv() => self.called(&peer),
                Some(done) = self.dials.join_next() => match done {
                    Ok((address, Ok(met))) => self.met(address, met).await,
                    Ok((address, Err(error))) => self.not_met(address, error).await,
                    Err(error) => tracing::error!(%error, "dialing failed by a fault of this program"),
                },
                Some(done) = self.links.join_next() => match done {
                    Ok(contact) => self.lost(&contact).await,
                    Err(error) if error.is_cancelled() => {}
                    Err(error) => tracing::error!(%error, "a link failed by a fault of this program"),
                },
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.dial_due(),
            }
            self.conclude_search().await;
        }
        for linked in self.linked.values() {
            linked.contact.outbox.finish();
        }
        self.links
    }

    // === What comes in.

    /// Rule 4.2.
    fn sighted(&mut self, sighting: Sighting) {
        let now = Instant::now();
        let (address, announced) = match sighting {
            Sighting::Address(address) => (address, false),
            Sighting::Announced(address) => (address, true),
            Sighting::AllNamed => {
                if let Some(search) = &mut self.search {
                    search.all_named(now);
                }
                return;
            }
        };
        if self.node.is_own(address) {
            return;
        }
        let Some(route) = self.route(address, now) else { return };
        if route.linked.is_some() || route.own {
            return;
        }
        let ready = route.may_dial(now);
        if let Some(search) = &mut self.search {
            search.sighted(address, announced);
        }
        if ready {
            self.dial(address);
        }
    }

    /// A process connected to us. Where another one is linked at its address, dialing tells which of them is
    /// there.
    fn called(&mut self, peer: &Peer) {
        if self.is_linked(peer.incarnation) {
            return;
        }
        let now = Instant::now();
        let Some(route) = self.route(peer.address, now) else { return };
        if route.sought.is_none() {
            route.sought = Some(Sought::Caller(peer.incarnation));
        }
        let ready = route.may_dial(now);
        if let Some(search) = &mut self.search {
            search.sighted(peer.address, true);
        }
        if ready {
            self.dial(peer.address);
        }
    }

    async fn met(&mut self, address: SocketAddr, met: Met) {
        self.settled(address);
        let now = Instant::now();
        let Some(route) = self.routes.get_mut(&address) else { return };
        route.dialing = false;
        let (peer, wire) = match met {
            Met::Member(peer, wire) => (peer, wire),
            Met::Own => {
                route.own = true;
                return;
            }
        };
        if let Some(Sought::Caller(_)) = route.sought {
            route.sought = None;
        }
        let before = route
            .linked
            .or(route.sought.map(Sought::incarnation))
            .filter(|incarnation| *incarnation != peer.incarnation);
        if let Some(before) = before {
            self.displaced(before, address).await;
        }
        if self.is_linked(peer.incarnation) {
            self.with_route(address, |route| route.linked = Some(peer.incarnation));
            return;
        }
        match self.node.contacts.admit(&peer) {
            Ok(contact) => self.link(contact, address, wire, now).await,
            Err(cause) => self.refused(address, cause),
        }
    }

    /// Rule 4.10.
    async fn not_met(&mut self, address: SocketAddr, error: DialError) {
        let now = Instant::now();
        let Some(route) = self.routes.get_mut(&address) else { return };
        route.dialing = false;
        route.failed(now);
        let sought = route.sought;
        match error {
            DialError::Closed => {
                self.node.counts.dials_closed.up();
                self.settled(address);
                if let Some(Sought::Lost(incarnation)) = sought
                    && self.node.options.trust_refused
                    && self.proves(incarnation, address)
                {
                    self.with_route(address, |route| route.sought = None);
                    self.gone(incarnation).await;
                }
            }
            DialError::Refused(cause) => self.refused(address, cause),
            DialError::Silent => {
                self.node.counts.refused(HandshakeRefusal::Silent);
                self.unanswered(address, true);
            }
            DialError::Unreachable => self.unanswered(address, false),
        }
    }

    fn refused(&mut self, address: SocketAddr, cause: HandshakeRefusal) {
        self.node.counts.refused(cause);
        self.with_route(address, |route| route.failed(Instant::now()));
        if cause.is_passing() {
            tracing::debug!(%address, %cause, "no link");
            self.unanswered(address, true);
            return;
        }
        if self.node.strangers.met(address, cause) {
            tracing::warn!(
                %address,
                "skipped: somebody answers there who is no member, because {cause}; if it is one of yours, give both \
                 nodes the same secret and the same cluster name"
            );
        }
        if let Some(search) = &mut self.search {
            search.stranger(address, cause);
        }
    }

    async fn lost(&mut self, contact: &Arc<Contact>) {
        let incarnation = contact.peer.incarnation;
        // After it was forgotten, the process may be linked anew.
        if !self.linked.get(&incarnation).is_some_and(|linked| Arc::ptr_eq(&linked.contact, contact)) {
            return;
        }
        let Some(linked) = self.linked.remove(&incarnation) else { return };
        contact.outbox.close();
        self.node.counts.links_lost.up();
        for route in self.routes.values_mut().filter(|route| route.linked == Some(incarnation)) {
            route.linked = None;
        }
        if contact.is_cut() {
            return;
        }
        let now = Instant::now();
        self.with_route(linked.through, |route| {
            route.sought = Some(Sought::Lost(incarnation));
            route.lost(now, linked.since.elapsed());
        });
        self.node.tell(Event::Down { incarnation }).await;
        self.dial_due();
    }

    // === What goes out.

    /// Rule 1.1.
    async fn link(&mut self, contact: Arc<Contact>, through: SocketAddr, wire: Wire, now: Instant) {
        let peer = contact.peer.clone();
        contact.outbox.open();
        let (node, linking) = (self.node.clone(), contact.clone());
        let task = self.links.spawn(async move {
            link::run(node, linking.clone(), 0, wire).await;
            linking
        });
        for route in self.routes.values_mut() {
            if route.sought.is_some_and(|sought| sought.incarnation() == peer.incarnation) {
                route.sought = None;
            }
        }
        self.with_route(through, |route| route.linked = Some(peer.incarnation));
        self.linked.insert(peer.incarnation, Linked { contact, task, through, since: now });
        self.node.counts.links_up.up();
        self.node.tell(Event::Up(peer)).await;
    }

    /// Another process answered at the address where `incarnation` was linked or looked for. Rule 4.10.
    async fn displaced(&mut self, incarnation: u32, address: SocketAddr) {
        let linked_here = self.linked.get(&incarnation).is_some_and(|linked| linked.through == address);
        let proven = self.proves(incarnation, address);
        self.with_route(address, |route| {
            route.linked = None;
            route.sought = None;
        });
        if !proven {
            return;
        }
        if linked_here && let Some(linked) = self.linked.remove(&incarnation) {
            linked.task.abort();
            self.node.counts.links_lost.up();
            self.node.tell(Event::Down { incarnation }).await;
        }
        self.gone(incarnation).await;
    }

    /// Whether frames can go to this process; not when it was just forgotten.
    fn is_linked(&self, incarnation: u32) -> bool {
        self.linked.get(&incarnation).is_some_and(|linked| !linked.contact.is_cut())
    }

    /// Whether an answer at `address` says anything about the life of `incarnation`: only where that process
    /// listens itself, not at an address that merely led to it. Rule 4.10.
    fn proves(&self, incarnation: u32, address: SocketAddr) -> bool {
        self.node.contacts.with(incarnation, |contact| contact.peer.address == address).unwrap_or(false)
    }

    async fn gone(&mut self, incarnation: u32) {
        self.node.contacts.remove(incarnation);
        self.node.tell(Event::Gone { incarnation }).await;
    }

    fn dial(&mut self, address: SocketAddr) {
        if self.dials.len() >= DIALS_MAX {
            return;
        }
        self.with_route(address, |route| route.dialing = true);
        let node = self.node.clone();
        self.dials.spawn(async move { (address, dial(&node, address, 0).await) });
    }

    /// Dials every address that is to be dialed by itself and whose time has come.
    fn dial_due(&mut self) {
        let now = Instant::now();
        let contacts = &self.node.contacts;
        for route in self.routes.values_mut() {
            let still = |sought: &Sought| match *sought {
                Sought::Lost(incarnation) => contacts.get(incarnation).is_some(),
                Sought::Caller(incarnation) => {
                    contacts.with(incarnation, |contact| contact.is_inbound()).unwrap_or(false)
                }
            };
            route.sought = route.sought.filter(still);
        }
        let due = |(address, route): (&SocketAddr, &Route)| {
            (self.is_wanted(*address, route) && route.may_dial(now)).then_some(*address)
        };
        let due: Vec<_> = self.routes.iter().filter_map(due).collect();
        for address in due {
            self.dial(address);
        }
    }

    fn next_due(&self) -> Option<Instant> {
        let wanted = self.routes.iter().filter(|(address, route)| self.is_wanted(**address, route));
        let dialing = wanted.filter(|(_, route)| !route.dialing).map(|(_, route)| route.due()).min();
        // With all places taken, the next answer wakes this task.
        let dialing = dialing.filter(|_| self.dials.len() < DIALS_MAX);
        let searching = self.search.as_ref().and_then(|search| search.due(Instant::now()));
        dialing.into_iter().chain(searching).min()
    }

    /// Whether the address is dialed without a further sighting.
    fn is_wanted(&self, address: SocketAddr, route: &Route) -> bool {
        let awaited = || self.search.as_ref().is_some_and(|search| search.awaits(address));
        !route.own && (route.sought.is_some() || (route.linked.is_none() && awaited()))
    }

    // === The state.

    fn route(&mut self, address: SocketAddr, now: Instant) -> Option<&mut Route> {
        if self.routes.len() >= ROUTES_MAX && !self.routes.contains_key(&address) {
            self.routes.retain(|_, route| !route.is_idle(now));
            if self.routes.len() >= ROUTES_MAX {
                self.node.counts.sightings_dropped.up();
                return None;
            }
        }
        Some(self.routes.entry(address).or_insert_with(|| Route::new(now)))
    }

    fn with_route(&mut self, address: SocketAddr, change: impl FnOnce(&mut Route)) {
        if let Some(route) = self.routes.get_mut(&address) {
            change(route);
        }
    }

    fn settled(&mut self, address: SocketAddr) {
        self.node.strangers.gone(address);
        if let Some(search) = &mut self.search {
            search.settled(address);
        }
    }

    fn unanswered(&mut self, address: SocketAddr, accepts: bool) {
        if let Some(search) = &mut self.search {
            search.unanswered(address, accepts);
        }
    }

    async fn conclude_search(&mut self) {
        let now = Instant::now();
        if let Some(addresses) = self.search.as_mut().and_then(|search| search.silent(now)) {
            self.node.tell(Event::Silent { addresses }).await;
        }
        if let Some(search) = self.search.take_if(|search| search.is_over(now)) {
            let reached = self.linked.keys().copied().collect();
            let (silent, strangers) = search.into_findings();
            self.node.tell(Event::Searched { reached, silent, strangers }).await;
        }
    }
}
