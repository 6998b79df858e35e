//! The simulated world: hosts, network, clients, and the loop that lets one event after another happen.
//!
//! It acts as the driver of every node: carries frames, dials links, wakes requests. It judges nothing; it
//! only writes the history. Continue with `links`, `requests`, `clients`, `faults`, `observe`, `splits`.

mod clients;
mod deaths;
mod faults;
mod links;
mod listen;
mod numbers;
mod observe;
mod outages;
mod requests;
mod splits;
mod stores;
mod twins;
mod versions;

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use sessile_core::{
    Ack, Effect, Effects, Event as Told, FrameSink, Incarnation, Instant, Node, NotSent, Plant, Settings,
    set_small_bounds,
};

use crate::clock::Clock;
use crate::event::{Event, Inside, Outside, Step};
use crate::harder::{Draw, Harder, Profile};
use crate::history::{Ending, HostId, OpId, SessionId, SimHistory, SimLife};
use crate::network::Network;
use crate::plan::Plan;
use crate::process::Process;
use crate::queue::Queue;
use crate::rng::Rng;
use crate::run_counters::RunCounters;
use crate::swap::SwapFile;
use crate::trace::Trace;

use clients::{Client, PendingOperation};
use faults::Armed;
pub(crate) use listen::Listener;
use observe::Phase;

/// Upper bound of a run's virtual time.
const LONGEST_RUN: Duration = Duration::from_secs(600);

/// Upper bound of a run's events: endless useless traffic is a bug like any other.
const MOST_EVENTS: u64 = 400_000;

/// Clients, each with one session at a time.
const CLIENTS: usize = 5;

/// One run in the making.
pub(crate) struct World {
    plan: Plan,
    harder: Harder,
    plant: Plant,
    queue: Queue,
    rng: Rng,
    network: Network,
    hosts: Vec<Option<Process>>,
    clients: Vec<Client>,
    pending_operations: Vec<PendingOperation>,
    /// Sessions that their clients have ended, with their last secrets.
    abandoned: Vec<(SessionId, usize)>,
    /// Links whose frames in flight were lost when the sender died.
    lost: BTreeSet<(Incarnation, Incarnation)>,
    /// Pairs of (remover, removed) without a later inclusion.
    removals: BTreeSet<(Incarnation, Incarnation)>,
    armed: Armed,
    phase: Phase,
    /// When the last fault was healed.
    healed_at: Instant,
    /// Those who wait for a decision of a node are numbered by it.
    numbers: u64,
    history: SimHistory,
    counters: RunCounters,
    trace: Trace,
}

/// The way out of one process during a call of its node.
struct Links<'w> {
    from: (Incarnation, HostId),
    network: &'w mut Network,
    hosts: &'w [Option<Process>],
    taken: Vec<(Incarnation, Bytes)>,
    refused: u64,
}

impl FrameSink for Links<'_> {
    fn send(&mut self, to: Incarnation, frame: Bytes) -> Result<(), NotSent> {
        let is_it = |process: &Option<Process>| process.as_ref().is_some_and(|it| it.incarnation == to);
        let host = self.hosts.iter().position(is_it);
        if !self.network.is_linked(self.from.0, to) {
            return Err(NotSent::NotConnected);
        }
        if host.is_some_and(|host| !self.network.has_room(self.from.1, host)) {
            self.refused += 1;
            return Err(NotSent::QueueFull);
        }
        self.taken.push((to, frame));
        Ok(())
    }
}

/// What a node decided in one call.
struct Decided {
    frames: Vec<(Incarnation, Bytes)>,
    decided: Vec<Effect>,
}

/// What is left of a run.
pub(crate) struct Remains {
    /// For the checkers.
    pub(crate) history: SimHistory,
    /// What was exercised.
    pub(crate) counters: RunCounters,
    /// What happened.
    pub(crate) trace: Trace,
}

impl World {
    /// The world of a seed, before its first event.
    pub(crate) fn new(seed: u64, profile: Profile, plant: Plant, wordy: bool) -> Self {
        let mut rng = Rng::new(seed);
        let mut plan = Plan::draw(&mut rng.fork());
        let harder = Harder::draw(seed, profile, &mut plan);
        set_small_bounds(harder.limits);
        let network = Network::new(plan.conditions.clone(), rng.fork());
        let mode = if harder.has(Draw::AckSets) { Ack::Asynchronous } else { plan.mode };
        let history = SimHistory {
            mode,
            waits_for_all: !harder.has(Draw::AckSets),
            has_room: harder.max_table_bytes().is_none(),
            remembers_ends: !harder.has(Draw::ShortTombstones),
            is_reliable: plan.is_reliable() && !harder.has(Draw::FrozenClocks),
            drop_time: harder.timing.drop_time,
            ..SimHistory::default()
        };
        let slots = plan.hosts + usize::from(harder.has(Draw::Twins));
        Self {
            hosts: (0..slots).map(|_| None).collect(),
            clients: (0..CLIENTS).map(|_| Client::default()).collect(),
            pending_operations: Vec::new(),
            abandoned: Vec::new(),
            lost: BTreeSet::new(),
            removals: BTreeSet::new(),
            armed: Armed::default(),
            phase: Phase::default(),
            healed_at: Instant::ORIGIN,
            numbers: 0,
            queue: Queue::default(),
            counters: RunCounters::default(),
            trace: Trace::new(wordy),
            plan,
            harder,
            plant,
            rng,
            network,
            history,
        }
    }

    /// Runs all events.
    pub(crate) fn run(mut self) -> Remains {
        self.trace.say(self.queue.now(), format_args!("{:?}", self.plan));
        let drawn: Vec<_> = self.harder.drawn().collect();
        self.trace.say(self.queue.now(), format_args!("harder by {drawn:?}, {:?}", self.harder.limits));
        drawn.iter().for_each(|draw| self.counters.draws[draw.index()] += 1);
        self.begin();
        let mut events = 0;
        while self.phase != Phase::Over {
            let Some(event) = self.queue.pop() else { break };
            events += 1;
            if events > MOST_EVENTS || self.now() > Instant::ORIGIN.plus(LONGEST_RUN) {
                self.alarm("the run does not end".into());
                break;
            }
            self.happen(event);
        }
        for host in 0..self.hosts.len() {
            self.count(host);
        }
        self.count_bounds();
        Remains { history: self.history, counters: self.counters, trace: self.trace }
    }

    fn begin(&mut self) {
        for host in 0..self.plan.hosts {
            let delay = self.rng.millis(0, 1_500);
            self.queue.after(delay, Event::Outside(Outside::Step(Step::Return(host))));
        }
        for client in 0..CLIENTS {
            let delay = self.rng.millis(2_000, 4_000);
            self.queue.after(delay, Event::Outside(Outside::Think(client)));
        }
        self.queue.after(Duration::from_secs(4), Event::Outside(Outside::Observe));
        self.plan_next_fault();
    }

    fn happen(&mut self, event: Event) {
        let kind = event.kind();
        match event {
            Event::Inside(incarnation, inside) => {
                self.trace.mix(self.queue.now(), &[kind, u64::from(incarnation.0)]);
                let Some(host) = self.host_of(incarnation) else { return };
                match &mut self.hosts[host] {
                    Some(process) if process.paused => process.held.push(inside),
                    _ => self.happen_inside(host, inside),
                }
            }
            Event::Outside(outside) => {
                self.trace.mix(self.queue.now(), &[kind]);
                self.happen_outside(outside);
            }
        }
    }

    fn happen_inside(&mut self, host: HostId, inside: Inside) {
        match inside {
            Inside::Tick => self.tick(host),
            Inside::Dial => self.dial(host),
            Inside::Connected(incarnation) => self.connected(host, incarnation),
            Inside::LinkLost(incarnation) => self.link_lost(host, incarnation),
            Inside::Refused(incarnation) => self.refused(host, incarnation),
            Inside::Frame(frame) => self.frame(host, frame),
            Inside::AckBatch(incarnation) => self.ack_batch(host, incarnation),
            Inside::Searched => self.search(host),
            Inside::Arrive(op, attempt) => self.arrive(host, op, attempt),
            Inside::Handled(op) => self.handled(host, op),
            Inside::Settled(ticket, receipt, wanted) => self.settled(host, ticket, receipt, wanted),
            Inside::Answered(ask) => self.answered(host, ask),
            Inside::Fetched(key) => self.fetched(host, key),
            Inside::GateMoved => self.gate_moved(host),
            Inside::DrainCheck(away) => self.drain_check(host, away),
            Inside::Exit(away) => self.exit(host, away),
        }
    }

    fn happen_outside(&mut self, outside: Outside) {
        match outside {
            Outside::Think(client) => self.think(client),
            Outside::Submit(op) => self.submit(op),
            Outside::Reply(op, attempt, reply) => self.reply(op, attempt, reply),
            Outside::GiveUp(op) => self.give_up(op),
            Outside::Fault(fault) => self.fault(fault),
            Outside::Step(step) => self.step(step),
            Outside::Observe => self.observe(),
        }
    }

    fn now(&self) -> Instant {
        self.queue.now()
    }

    /// A number that nobody has who waits for a decision.
    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn say(&mut self, words: std::fmt::Arguments<'_>) {
        self.trace.say(self.queue.now(), words);
    }

    fn say_op(&mut self, what: &str, op: OpId) {
        if self.trace.is_wordy() {
            self.trace.say(self.queue.now(), format_args!("{what} {}", self.history.describe(op)));
        }
    }

    fn alarm(&mut self, words: String) {
        self.say(format_args!("ALARM {words}"));
        let at = self.now().as_micros() as f64 / 1e6;
        self.history.alarms.push(format!("{at:.6} {words}"));
    }

    fn host_of(&self, incarnation: Incarnation) -> Option<HostId> {
        self.hosts
            .iter()
            .position(|process| process.as_ref().is_some_and(|process| process.incarnation == incarnation))
    }

    /// The host of a process that may be dead.
    fn former_host_of(&self, incarnation: Incarnation) -> HostId {
        self.history.life(incarnation).map_or(0, |life| life.host)
    }

    /// Starts a process on a host that has none.
    fn start(&mut self, host: HostId) {
        self.start_as(host, format!("n{host}"));
    }

    /// The same under the name of another host's process.
    fn start_as(&mut self, host: HostId, name: String) {
        if self.hosts[host].is_some() {
            return;
        }
        let incarnation = Incarnation(self.rng.next() as u32);
        let offset = self.rng.duration(Duration::ZERO, Duration::from_secs(1_000_000));
        let clock = Clock::new(offset, self.harder.clock_rate());
        let is_next = self.plan.mixed && self.rng.chance(500);
        let mut settings = Settings::new(incarnation, name.clone());
        self.harder.set(&mut settings);
        settings.ack = self.plan.mode;
        if !(is_next && self.plant == Plant::UNKNOWN_FIELD_DROPPED) {
            settings.plant(self.plant);
        }
        let swap = self.plan.swaps.then(|| SwapFile::new(self.rng.fork()));
        let tick = settings.timing.tick();
        let node = Node::new(settings, clock.at(self.now()));
        node.listen(true);
        self.hosts[host] = Some(Process::new(node, incarnation, name, clock, swap, is_next));
        let from = self.now();
        self.history.lives.push(SimLife { incarnation, host, from, to: None, pauses: Vec::new() });
        let version = if is_next { "the next" } else { "today's" };
        self.say(format_args!("n{host} starts as {incarnation} of {version} version"));
        self.queue.after(tick, Event::Inside(incarnation, Inside::Tick));
        self.queue.after(Duration::from_millis(5), Event::Inside(incarnation, Inside::Dial));
        self.queue.after(Duration::from_millis(1_000), Event::Inside(incarnation, Inside::Searched));
    }

    /// Calls the node of a live process; the caller executes the effects.
    fn call<R>(
        &mut self,
        host: HostId,
        act: impl FnOnce(&Node, Instant, &mut Effects) -> R,
    ) -> Option<(R, Decided)> {
        let process = self.hosts[host].as_ref()?;
        let (from, network) = ((process.incarnation, host), &mut self.network);
        let mut links = Links { from, network, hosts: &self.hosts, taken: Vec::new(), refused: 0 };
        let mut effects = Effects::new(&mut links);
        let result = act(&process.node, process.time(self.queue.now()), &mut effects);
        let decided = effects.into_decided();
        self.counters.refused_frames += links.refused;
        Some((result, Decided { frames: links.taken, decided }))
    }

    /// Calls the node and executes the effects.
    fn drive(&mut self, host: HostId, act: impl FnOnce(&Node, Instant, &mut Effects)) {
        if let Some(((), effects)) = self.call(host, act) {
            self.execute(host, effects);
        }
    }

    fn tick(&mut self, host: HostId) {
        self.drive(host, |node, now, effects| node.tick(now, effects));
        self.gate_moved(host);
        self.greet(host);
        self.swap_some(host);
        if self.has_exited(host) {
            return;
        }
        let Some(process) = &self.hosts[host] else { return };
        self.queue.after(self.harder.timing.tick(), Event::Inside(process.incarnation, Inside::Tick));
    }

    fn execute(&mut self, host: HostId, Decided { frames, decided }: Decided) {
        let Some(incarnation) = self.hosts[host].as_ref().map(|process| process.incarnation) else { return };
        for (to, frame) in frames {
            self.send((incarnation, host), to, frame);
        }
        let wanted = self.hear(host, &decided);
        for effect in decided {
            self.trace.mix_text(format_args!("{effect:?}"));
            let inside = match effect {
                Effect::Forget { incarnation } => {
                    self.bar(host, incarnation);
                    continue;
                }
                Effect::Event(told) => {
                    self.told(host, incarnation, told);
                    continue;
                }
                Effect::Undelivered { to, frame } => {
                    if let Some(process) = &self.hosts[host] {
                        process.node.undelivered(to, frame);
                    }
                    continue;
                }
                Effect::Notice { shard, sequence, notice } => {
                    self.noticed(host, shard, sequence, notice);
                    continue;
                }
                Effect::Settled { ticket, receipt } => Inside::Settled(ticket, receipt, wanted.clone()),
                Effect::Answered { question } => Inside::Answered(question),
                Effect::GateMoved => Inside::GateMoved,
                Effect::Fetch { key } => Inside::Fetched(key),
                Effect::Changed { .. } | Effect::SessionEnded { .. } | Effect::MemberLost => continue,
            };
            let wake = self.rng.duration(Duration::ZERO, Duration::from_micros(300));
            self.queue.after(wake, Event::Inside(incarnation, inside));
        }
    }

    fn told(&mut self, host: HostId, incarnation: Incarnation, told: Told) {
        self.say(format_args!("n{host} {told:?}"));
        self.view_changed(incarnation, &told);
        match told {
            Told::Ended { key, reason, event_id, remote, .. } => {
                let at = self.now();
                self.history.endings.push(Ending { at, incarnation, key, reason, event_id, remote });
            }
            Told::StateRequested { from } => self.transfer_began(host, from),
            Told::BecameReady { .. } => {
                self.listening_begins(host);
                self.watch(host);
            }
            _ => {}
        }
    }

    /// Adds the counters of an ended process.
    fn count(&mut self, host: HostId) {
        let Some(process) = &self.hosts[host] else { return };
        self.counters.swaps += process.swap.as_ref().map_or(0, |swap| swap.swaps);
        let counters = process.node.counters();
        self.counters.fetches += counters.asks;
        self.counters.leases_run_out += counters.leases_lost;
        self.counters.interrupted_transfers += counters.transfers_interrupted;
        self.counters.negative_acks += counters.negative_acks.total();
        self.counters.conflicts += counters.conflicts;
        self.counters.late_writes += counters.late_writes;
        self.counters.early_frames += counters.frames_early;
        self.counters.unknown_frames += counters.frames_skipped;
    }
}
