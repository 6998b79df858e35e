//! The clients: their requests, their choice of nodes, and their reaction to replies.

use std::time::Duration;

use sessile_core::{Absent, Secret, SessionKey};

use crate::event::{Attempt, CLIENT_PATIENCE, Event, Inside, Outside, Reply};
use crate::history::{Action, Attribute, HostId, Op, OpId, Outcome, SessionId, SimSession};
use crate::plan::Routing;
use crate::world::World;
use crate::world::observe::Phase;
use crate::world::requests::seen;

/// Sessions that are left alone long enough to expire, if their client is idle.
const SHORT_TIMES: [u64; 4] = [10, 15, 20, 30];

/// A session that does not expire during a run.
const LONG_TIME: Duration = Duration::from_secs(3_600);

/// How often, of 1,000 times, a client leaves such a session alone.
const RESTS: u32 = 80;

/// Registers of a session; few, so that writes meet.
const REGISTERS: u64 = 3;

/// One user with one browser.
#[derive(Default)]
pub(super) struct Client {
    session: Option<SessionId>,
    secret: usize,
    /// The secret of an unanswered login.
    unsure: Option<usize>,
    waiting: Vec<OpId>,
    favourite: HostId,
    /// The write that it will repeat, and the host.
    insistence: Option<(Attribute, HostId)>,
    /// It is repeating a write.
    insisted: bool,
}

/// State of a client's operation besides the history.
pub(super) struct PendingOperation {
    client: usize,
    /// The client waits for its end.
    awaited: bool,
    attempt: Attempt,
    host: HostId,
    /// The only allowed host.
    only_host: Option<HostId>,
}

impl World {
    /// A client with nothing to wait for decides what to do.
    pub(super) fn think(&mut self, client: usize) {
        if self.phase != Phase::Faults || !self.clients[client].waiting.is_empty() {
            return;
        }
        let Some(session) = self.clients[client].session else { return self.create(client) };
        if self.rng.chance(80) || !self.harder.idle_times.is_empty() && self.rng.chance(300) {
            self.probe_abandoned(client);
        }
        if self.history.sessions[session].max_inactive != LONG_TIME
            && (self.rng.chance(RESTS) || self.harder.rests())
        {
            return self.rest(client, session);
        }
        let secret = self.clients[client].secret;
        if let Some((name, host)) = self.clients[client].insistence.take() {
            let write = vec![(name, Some(self.history.ops.len() as u64))];
            self.clients[client].insisted = true;
            self.start_op(client, session, secret, Action::Write(write), Duration::ZERO, true, Some(host));
            return;
        }
        let number = self.history.ops.len() as u64;
        if self.harder.only_reads() {
            return self.ask(client, session, secret, Action::Read);
        }
        match self.rng.below(100) {
            0..=24 => {
                let write = self.register_write(number);
                self.ask(client, session, secret, Action::Write(vec![write]));
            }
            25..=33 => {
                let pair = [0, 1].map(|half| (Attribute::Pair(half), Some(number)));
                self.ask(client, session, secret, Action::Write(pair.to_vec()));
            }
            34..=45 => {
                let member = (Attribute::Member(number), Some(number));
                self.ask(client, session, secret, Action::Write(vec![member]));
            }
            46..=53 => {
                let register = Attribute::Register(self.rng.below(REGISTERS) as u8);
                self.ask(client, session, secret, Action::Write(vec![(register, None)]));
            }
            54..=73 => self.ask(client, session, secret, Action::Read),
            74..=77 => self.login(client, session, secret),
            78..=82 => self.ask(client, session, secret, Action::Logout),
            83..=87 => self.dawdle(client, session, secret),
            88..=95 => self.burst(client, session, secret),
            _ => self.rest(client, session),
        }
    }

    fn register_write(&mut self, number: u64) -> (Attribute, Option<u64>) {
        (Attribute::Register(self.rng.below(REGISTERS) as u8), Some(number))
    }

    fn create(&mut self, client: usize) {
        let max_inactive = match client {
            _ if !self.harder.idle_times.is_empty() => self.rng.pick(&self.harder.idle_times),
            0 | 1 => Duration::from_secs(self.rng.pick(&SHORT_TIMES)),
            _ => LONG_TIME,
        };
        let max_age = self.harder.max_age();
        let key = SessionKey(self.rng.bytes16());
        let canary = self.rng.next();
        let (secrets, created_by) = (vec![Secret(self.rng.bytes16())], self.history.ops.len());
        self.history.sessions.push(SimSession { key, secrets, max_inactive, max_age, canary, created_by });
        let session = self.history.sessions.len() - 1;
        self.ask(client, session, 0, Action::Create);
    }

    fn login(&mut self, client: usize, session: SessionId, secret: usize) {
        let secrets = &mut self.history.sessions[session].secrets;
        secrets.push(Secret(self.rng.bytes16()));
        let new = secrets.len() - 1;
        self.ask(client, session, secret, Action::Login(secret, new));
    }

    /// A slow request in one tab while the user goes on in another, perhaps to log out.
    fn dawdle(&mut self, client: usize, session: SessionId, secret: usize) {
        let number = self.history.ops.len() as u64;
        let write = self.register_write(number);
        let handler = self.rng.millis(20, 5_000);
        self.start_op(client, session, secret, Action::Write(vec![write]), handler, false, None);
        let action = if self.rng.chance(500) { Action::Logout } else { Action::Read };
        self.ask(client, session, secret, action);
    }

    /// Two or three requests at once, on one node or on several, that meet in a register or not.
    fn burst(&mut self, client: usize, session: SessionId, secret: usize) {
        let shared = self.rng.chance(600).then(|| Attribute::Register(self.rng.below(REGISTERS) as u8));
        let only_host = self.rng.chance(350).then(|| self.rng.index(self.hosts.len()));
        for _ in 0..self.rng.between(2, 3) {
            let number = self.history.ops.len() as u64;
            let name = shared.unwrap_or(Attribute::Member(number));
            let handler = self.rng.millis(0, 30);
            let write = Action::Write(vec![(name, Some(number))]);
            self.start_op(client, session, secret, write, handler, true, only_host);
        }
    }

    /// Leaves the session alone for somewhat less or more than its idle time.
    fn rest(&mut self, client: usize, session: SessionId) {
        let max_inactive = self.history.sessions[session].max_inactive;
        let idle = match max_inactive {
            LONG_TIME => self.rng.millis(100, 2_000),
            _ if self.rng.chance(500) => max_inactive.mul_f64(0.9),
            _ => max_inactive.mul_f64(1.3) + Duration::from_secs(5),
        };
        self.queue.after(idle, Event::Outside(Outside::Think(client)));
    }

    /// Probes whether an abandoned session is still gone.
    fn probe_abandoned(&mut self, client: usize) {
        if self.abandoned.is_empty() {
            return;
        }
        let (session, secret) = self.abandoned[self.rng.index(self.abandoned.len())];
        self.start_op(client, session, secret, Action::Read, Duration::ZERO, false, None);
    }

    fn ask(&mut self, client: usize, session: SessionId, secret: usize, action: Action) {
        let handler = self.rng.pick(&[Duration::ZERO, Duration::from_millis(1), Duration::from_millis(15)]);
        let handler =
            self.harder.long_handler(self.history.sessions[session].max_inactive).unwrap_or(handler);
        self.start_op(client, session, secret, action, handler, true, None);
    }

    #[expect(clippy::too_many_arguments, reason = "an operation has that many sides, and two callers")]
    fn start_op(
        &mut self,
        client: usize,
        session: SessionId,
        secret: usize,
        action: Action,
        handler: Duration,
        awaited: bool,
        only_host: Option<HostId>,
    ) {
        let op = self.history.ops.len();
        let mut record = Op::new(session, secret, action, handler, self.now());
        let is_newest = secret + 1 == self.history.sessions[session].secrets.len();
        record.is_trusted =
            is_newest && matches!(record.action, Action::Read | Action::Write(_)) && self.harder.is_trusted();
        self.history.ops.push(record);
        self.pending_operations.push(PendingOperation { client, awaited, attempt: 0, host: 0, only_host });
        self.counters.operations += 1;
        if awaited {
            self.clients[client].waiting.push(op);
        }
        self.queue.after(Duration::ZERO, Event::Outside(Outside::Submit(op)));
        self.queue.after(CLIENT_PATIENCE + handler, Event::Outside(Outside::GiveUp(op)));
    }

    /// An operation of the last phase, at one host and no other.
    pub(super) fn start_final(&mut self, session: SessionId, secret: usize, action: Action, host: HostId) {
        self.start_op(0, session, secret, action, Duration::ZERO, false, Some(host));
    }

    /// Sends the operation to a host; a dead one refuses the connection, and another one is tried.
    pub(super) fn submit(&mut self, op: OpId) {
        if !self.is_pending(op) {
            return;
        }
        let host = self.choose_host(op);
        let now = self.now();
        let pending = &mut self.pending_operations[op];
        pending.attempt += 1;
        pending.host = host;
        let attempt = pending.attempt;
        self.history.ops[op].began = now;
        let Some(process) = &self.hosts[host] else {
            let pause = self.rng.millis(5, 50);
            return self.queue.after(pause, Event::Outside(Outside::Submit(op)));
        };
        let incarnation = process.incarnation;
        self.history.ops[op].incarnation = Some(incarnation);
        self.say_op("sent", op);
        let way = self.rng.duration(Duration::from_micros(50), Duration::from_micros(500));
        self.queue.after(way, Event::Inside(incarnation, Inside::Arrive(op, attempt)));
    }

    fn choose_host(&mut self, op: OpId) -> HostId {
        let pending = &self.pending_operations[op];
        let count = self.hosts.len();
        if let Some(host) = pending.only_host.filter(|_| pending.attempt < 3 || self.phase != Phase::Faults) {
            return host;
        }
        if pending.attempt > 0 {
            return (pending.host + 1 + self.rng.index(count - 1)) % count;
        }
        let client = &mut self.clients[pending.client];
        match self.plan.routing {
            Routing::Random => self.rng.index(count),
            Routing::Sticky if !self.rng.chance(100) => client.favourite,
            Routing::Sticky => self.rng.index(count),
            Routing::RoundRobin => {
                client.favourite = (client.favourite + 1) % count;
                client.favourite
            }
        }
    }

    pub(super) fn reply(&mut self, op: OpId, attempt: Attempt, reply: Reply) {
        if !self.is_pending(op) || self.pending_operations[op].attempt != attempt {
            return;
        }
        let outcome = match reply {
            Reply::Done => Outcome::Done,
            // The node holds no copy and says so: another one may hold the session.
            Reply::Absent(Absent::NoRoom) => Outcome::Failed,
            Reply::Absent(absent) => Outcome::Absent(absent),
            Reply::Ended => Outcome::Ended,
            Reply::Refused => Outcome::Failed,
            Reply::Unconfirmed => self.unknown(op),
            Reply::Unprocessed => {
                let pause = self.rng.millis(5, 100);
                return self.queue.after(pause, Event::Outside(Outside::Submit(op)));
            }
        };
        let pending = &self.pending_operations[op];
        self.clients[pending.client].favourite = pending.host;
        self.finish(op, outcome);
    }

    pub(super) fn give_up(&mut self, op: OpId) {
        if self.is_pending(op) {
            let outcome = self.unknown(op);
            self.finish(op, outcome);
        }
    }

    /// The outcome of an operation without an answer: a read has no effect, all others may have one.
    fn unknown(&self, op: OpId) -> Outcome {
        if matches!(self.history.ops[op].action, Action::Read) { Outcome::Failed } else { Outcome::Unknown }
    }

    /// The connections of a dead process break; without proof of the death, clients only time out.
    pub(super) fn disconnect(&mut self, host: HostId) {
        let broken = (0..self.pending_operations.len())
            .filter(|op| self.pending_operations[*op].host == host && self.is_pending(*op));
        for op in broken.collect::<Vec<_>>() {
            let delay = self.rng.millis(1, 10);
            let attempt = self.pending_operations[op].attempt;
            self.queue.after(delay, Event::Outside(Outside::Reply(op, attempt, Reply::Unconfirmed)));
        }
    }

    fn finish(&mut self, op: OpId, outcome: Outcome) {
        let now = self.now();
        let record = &mut self.history.ops[op];
        record.outcome = outcome;
        record.ended = Some(now);
        self.say_op("done", op);
        self.look_with_superseded_secrets(op, outcome);
        let pending = &self.pending_operations[op];
        if !pending.awaited {
            return;
        }
        let client = pending.client;
        self.clients[client].waiting.retain(|waiting| *waiting != op);
        self.learn(client, op, outcome);
        if self.insists(client, op, outcome) {
            return;
        }
        if self.clients[client].waiting.is_empty() {
            let longest = self.plan.think;
            let think = match self.rng.below(10) {
                0..=3 => self.rng.duration(Duration::ZERO, Duration::from_millis(3)),
                4..=7 => self.rng.duration(Duration::ZERO, longest),
                _ => self.rng.duration(longest, longest * 3),
            };
            self.queue.after(think, Event::Outside(Outside::Think(client)));
        }
    }

    /// Whoever kept a cookie from before a login must not see what was written after it.
    fn look_with_superseded_secrets(&mut self, op: OpId, outcome: Outcome) {
        let record = &self.history.ops[op];
        let pending = &self.pending_operations[op];
        // A side that was cut off may not have known of the login.
        if outcome != Outcome::Done || pending.attempt != 1 || !self.history.divisions.is_empty() {
            return;
        }
        let Action::Write(writes) = &record.action else { return };
        let Some(process) = &self.hosts[pending.host] else { return };
        let session = &self.history.sessions[record.session];
        let logins = self.history.ops_of(record.session).filter_map(|(_, login)| match login.action {
            Action::Login(old, _) if login.outcome == Outcome::Done && login.ended? < record.began => {
                Some(old)
            }
            _ => None,
        });
        let shown = |old: usize| {
            let view = process.before_change(session.key, session.secrets[old], self.now());
            let view = view.map(|fields| seen(&fields)).unwrap_or_default();
            writes.iter().any(|(name, value)| value.is_some() && view.get(name) == value.as_ref())
        };
        if logins.into_iter().any(shown) {
            self.alarm(format!(
                "op {op} was written after a login, and the secret from before the login shows it"
            ));
        }
    }

    /// A user whose write may be lost sometimes waits and repeats it once on the same node.
    fn insists(&mut self, client: usize, op: OpId, outcome: Outcome) -> bool {
        let record = &self.history.ops[op];
        let Action::Write(writes) = &record.action else { return false };
        let register = match writes[..] {
            [(name @ Attribute::Register(_), _)] => Some(name),
            _ => None,
        };
        let state = &mut self.clients[client];
        if !state.waiting.is_empty() || state.session != Some(record.session) {
            return false;
        }
        let insisted = std::mem::take(&mut state.insisted);
        let patience = match outcome {
            Outcome::Unknown if self.rng.chance(600) => {
                state.insistence = register.map(|name| (name, self.pending_operations[op].host));
                self.rng.millis(4_000, 10_000)
            }
            Outcome::Done if insisted => self.rng.millis(15_000, 20_000),
            _ => return false,
        };
        self.queue.after(patience, Event::Outside(Outside::Think(client)));
        true
    }

    /// Applies a reply to the client's session.
    fn learn(&mut self, client: usize, op: OpId, outcome: Outcome) {
        let record = &self.history.ops[op];
        let session = record.session;
        match (&record.action, outcome) {
            (Action::Create, Outcome::Done) => {
                let state = &mut self.clients[client];
                (state.session, state.secret, state.unsure) = (Some(session), 0, None);
            }
            (Action::Create, _) => self.abandoned.push((session, 0)),
            (Action::Login(old, new), Outcome::Done) => {
                let (old, new) = (*old, *new);
                self.clients[client].secret = new;
                self.start_op(client, session, old, Action::Read, Duration::ZERO, false, None);
            }
            (Action::Login(_, new), Outcome::Unknown) => self.clients[client].unsure = Some(*new),
            (Action::Logout, Outcome::Done | Outcome::Unknown) => {
                let secret = record.secret;
                self.give_session_up(client, session);
                for _ in 0..2 {
                    self.start_op(client, session, secret, Action::Read, Duration::ZERO, false, None);
                }
            }
            (_, Outcome::Absent(Absent::WrongSecret)) if self.clients[client].unsure.is_some() => {
                let state = &mut self.clients[client];
                state.secret = state.unsure.take().unwrap_or(state.secret);
            }
            (_, Outcome::Absent(_) | Outcome::Ended) => self.give_session_up(client, session),
            _ => {}
        }
    }

    fn give_session_up(&mut self, client: usize, session: SessionId) {
        let state = &mut self.clients[client];
        if state.session == Some(session) {
            state.session = None;
            self.abandoned.push((session, state.secret));
        }
    }

    /// Every session with the secret that its client considers valid.
    pub(super) fn all_sessions(&self) -> Vec<(SessionId, usize)> {
        let living = self.clients.iter().filter_map(|client| Some((client.session?, client.secret)));
        self.abandoned.iter().copied().chain(living).collect()
    }

    /// The sessions that clients still use.
    pub(super) fn living_sessions(&self) -> Vec<(SessionId, usize)> {
        self.clients.iter().filter_map(|client| Some((client.session?, client.secret))).collect()
    }
}
