//! A request inside a process: gate, open, handler, commit, settle, close, gate, answer.

use std::ops::RangeInclusive;
use std::time::Duration;

use sessile_core::{
    Ack, AppId, Changes, Closed, FieldName, Fields, Gate, Incarnation, Opening, Proof, QuestionId, Receipt,
    Refusal, SessionKey, Ticket, Value,
};

use crate::event::{Attempt, Event, Inside, Outside, Reply};
use crate::history::{Action, Attribute, HostId, Op, OpId, Outcome, Seen, SimSession};
use crate::process::{Request, Stage};
use crate::world::World;
use sessile_planted::next;

/// The application of all simulated sessions.
const APP: AppId = AppId(1);

impl World {
    pub(super) fn arrive(&mut self, host: HostId, op: OpId, attempt: Attempt) {
        let Some(process) = &mut self.hosts[host] else { return };
        process.requests.insert(op, Request { attempt, stage: Stage::AtEntry, open: false });
        self.enter(host, op);
    }

    /// Waiting requests check the gate again.
    pub(super) fn gate_moved(&mut self, host: HostId) {
        let Some(process) = &mut self.hosts[host] else { return };
        let at_gate = |request: &Request| matches!(request.stage, Stage::AtEntry | Stage::AtExit(_));
        let waiting: Vec<_> =
            process.requests.iter().filter(|(_, request)| at_gate(request)).map(|(op, _)| *op).collect();
        for op in waiting {
            match self.stage(host, op) {
                Some(Stage::AtEntry) => self.enter(host, op),
                Some(Stage::AtExit(_)) => self.leave(host, op),
                _ => {}
            }
        }
    }

    fn gate(&mut self, host: HostId) -> Option<Gate> {
        let (gate, effects) = self.call(host, |node, now, _| node.gate(now))?;
        self.execute(host, effects);
        Some(if self.is_watching(host) { Gate::Closed(Closed::NotReady) } else { gate })
    }

    fn enter(&mut self, host: HostId, op: OpId) {
        match self.gate(host) {
            Some(Gate::Open) => self.open(host, op),
            Some(Gate::Closed(_)) => self.answer(host, op, Reply::Unprocessed),
            Some(Gate::Stalled) | None => {}
        }
    }

    fn open(&mut self, host: HostId, op: OpId) {
        let request = &self.history.ops[op];
        let session = &self.history.sessions[request.session];
        let (key, secret) = (session.key, session.secrets[request.secret]);
        if matches!(request.action, Action::Create) {
            return self.handle(host, op);
        }
        let (proof, question) = (proof(request, session, secret), QuestionId(self.number()));
        let opening = self.call(host, |node, now, effects| node.open(key, proof, question, now, effects));
        let Some((opening, effects)) = opening else { return };
        self.execute(host, effects);
        self.opened(host, op, opening, question);
    }

    pub(super) fn answered(&mut self, host: HostId, ask: QuestionId) {
        let Some(process) = &self.hosts[host] else { return };
        let asking = |request: &Request| matches!(request.stage, Stage::Asking(asked) if asked == ask);
        let waiting: Vec<_> =
            process.requests.iter().filter(|(_, request)| asking(request)).map(|(op, _)| *op).collect();
        for op in waiting {
            match self.gate(host) {
                Some(Gate::Open) => self.open_answered(host, op),
                Some(Gate::Closed(_)) => self.answer(host, op, Reply::Unprocessed),
                // The members' answers are valid only with the lease: ask them again.
                Some(Gate::Stalled) | None => self.set_stage(host, op, Stage::AtEntry),
            }
        }
    }

    fn open_answered(&mut self, host: HostId, op: OpId) {
        let request = &self.history.ops[op];
        let session = &self.history.sessions[request.session];
        let (key, secret) = (session.key, session.secrets[request.secret]);
        let (proof, question) = (proof(request, session, secret), QuestionId(self.number()));
        let opening =
            self.call(host, |node, now, effects| node.open_answered(key, proof, question, now, effects));
        let Some((opening, effects)) = opening else { return };
        self.execute(host, effects);
        self.opened(host, op, opening, question);
    }

    fn opened(&mut self, host: HostId, op: OpId, opening: Opening, question: QuestionId) {
        match opening {
            Opening::Open(opened) => {
                let now = self.now();
                let record = &mut self.history.ops[op];
                record.opened = Some(now);
                record.seen = Some(seen(&opened.fields));
                if let Some(request) = self.hosts[host].as_mut().and_then(|host| host.requests.get_mut(&op)) {
                    request.open = true;
                }
                self.handle(host, op);
            }
            Opening::Absent(absent) => {
                self.set_stage(host, op, Stage::AtExit(Reply::Absent(absent)));
                self.leave(host, op);
            }
            Opening::Asking => self.set_stage(host, op, Stage::Asking(question)),
        }
    }

    fn handle(&mut self, host: HostId, op: OpId) {
        self.set_stage(host, op, Stage::Handling);
        let Some(process) = &self.hosts[host] else { return };
        self.queue
            .after(self.history.ops[op].handler, Event::Inside(process.incarnation, Inside::Handled(op)));
    }

    pub(super) fn handled(&mut self, host: HostId, op: OpId) {
        let key = self.key_of(op);
        self.history.ops[op].committed = Some(self.queue.now());
        match self.history.ops[op].action {
            Action::Read if !self.plan.whole => self.wait_for_others(host, op, key),
            Action::Logout => {
                let ticket = Ticket(self.number());
                let ended = self.call(host, |node, now, effects| node.end(key, Some(ticket), now, effects));
                let Some(((), effects)) = ended else { return };
                let session = self.history.ops[op].session;
                self.say(format_args!("n{host} ends s{session} for op {op}"));
                self.wait_for(host, op, Some(ticket));
                self.execute(host, effects);
            }
            _ => self.commit(host, op),
        }
        self.commit_began(host, op);
    }

    fn commit(&mut self, host: HostId, op: OpId) {
        let key = self.key_of(op);
        let mut changes = self.changes(op);
        self.write_more(host, op, &mut changes);
        let ticket = Ticket(self.number());
        let committed =
            self.call(host, |node, now, effects| node.commit(key, &changes, Some(ticket), now, effects));
        let Some((result, effects)) = committed else { return };
        match result {
            Ok(()) => {
                let session = self.history.ops[op].session;
                self.say(format_args!("n{host} commits op {op} on s{session}"));
                self.wait_for(host, op, Some(ticket));
                self.execute(host, effects);
            }
            // A read stays valid for the time at which the session was opened.
            Err(Refusal::Ended) if matches!(self.history.ops[op].action, Action::Read) => {
                self.execute(host, effects);
                self.wait_for_others(host, op, key);
            }
            Err(refusal) => {
                self.execute(host, effects);
                let reply = match refusal {
                    Refusal::Ended => Reply::Ended,
                    _ => Reply::Refused,
                };
                self.set_stage(host, op, Stage::AtExit(reply));
                self.close(host, op);
                self.leave(host, op);
            }
        }
    }

    /// The next version also writes its new field.
    fn write_more(&mut self, host: HostId, op: OpId, changes: &mut Changes) {
        let is_next = self.hosts[host].as_ref().is_some_and(|process| process.is_next);
        if let Action::Write(writes) = &mut self.history.ops[op].action
            && is_next
        {
            writes.push((Attribute::Later, Some(op as u64)));
            next::write(changes, op as u64);
        }
    }

    fn changes(&self, op: OpId) -> Changes {
        let record = &self.history.ops[op];
        let session = &self.history.sessions[record.session];
        let mut changes = Changes::new();
        match &record.action {
            Action::Create => {
                changes = Changes::create(APP, session.secrets[0], session.max_inactive, session.max_age);
                put(&mut changes, Attribute::Canary, Some(session.canary));
            }
            Action::Write(writes) => writes.iter().for_each(|(name, value)| put(&mut changes, *name, *value)),
            Action::Login(old, new) => changes.change_secret(session.secrets[*old], session.secrets[*new]),
            Action::Read | Action::Logout => {}
        }
        if self.plan.whole {
            changes.send_whole();
        }
        changes
    }

    /// Waits for the commit that this request may have read.
    fn wait_for_others(&mut self, host: HostId, op: OpId, key: SessionKey) {
        let ticket = Ticket(self.number());
        let waits = self.call(host, |node, _, _| node.await_settled(key, ticket));
        self.wait_for(host, op, waits.is_some_and(|(waits, _)| waits).then_some(ticket));
    }

    /// Waits for the ticket; without one there is nothing to wait for.
    fn wait_for(&mut self, host: HostId, op: OpId, ticket: Option<Ticket>) {
        match ticket {
            Some(ticket) => self.set_stage(host, op, Stage::Settling(ticket)),
            None => {
                self.set_stage(host, op, Stage::AtExit(Reply::Done));
                self.close(host, op);
                self.leave(host, op);
            }
        }
    }

    pub(super) fn settled(
        &mut self,
        host: HostId,
        ticket: Ticket,
        receipt: Receipt,
        wanted: RangeInclusive<u32>,
    ) {
        self.check_age(host, receipt);
        let Some(process) = &self.hosts[host] else { return };
        let settling =
            |request: &Request| matches!(request.stage, Stage::Settling(waited) if waited == ticket);
        let waiting: Vec<_> =
            process.requests.iter().filter(|(_, request)| settling(request)).map(|(op, _)| *op).collect();
        let now = self.now();
        for op in waiting {
            let is_read = matches!(self.history.ops[op].action, Action::Read);
            if !is_read {
                self.note_holders(op, now, receipt);
                self.history.ops[op].wanted = Some(wanted.clone());
            }
            let ended = receipt.ended && !is_read && !matches!(self.history.ops[op].action, Action::Logout);
            let reply = if ended { Reply::Ended } else { Reply::Done };
            self.set_stage(host, op, Stage::AtExit(reply));
            self.close(host, op);
            self.leave(host, op);
        }
    }

    fn note_holders(&mut self, op: OpId, now: sessile_core::Instant, receipt: Receipt) {
        let key = self.key_of(op);
        let holders = self
            .hosts
            .iter()
            .flatten()
            .filter(|process| match (&self.history.ops[op].action, process.peek(key)) {
                (Action::Logout, copy) => copy.is_none() && self.has_told_end(process.incarnation, key),
                (_, None) => false,
                (Action::Write(_), Some(fields)) => {
                    !self.slept_through(process.incarnation, op) && self.shows(op, &seen(&fields))
                }
                (Action::Login(old, new), Some(fields)) => {
                    let secrets = &self.history.sessions[self.history.ops[op].session].secrets;
                    fields.admits(secrets[*new]) && !fields.admits(secrets[*old])
                }
                (_, Some(_)) => true,
            })
            .map(|process| process.incarnation)
            .collect();
        let record = &mut self.history.ops[op];
        record.holders = holders;
        record.receipt = Some((now, receipt));
    }

    /// Whether a process has been stopped since before the commit, so it cannot know the commit.
    fn slept_through(&self, incarnation: Incarnation, op: OpId) -> bool {
        let life = self.history.life(incarnation);
        let committed = self.history.ops[op].committed;
        life.zip(committed).is_some_and(|(life, committed)| life.stands_still_since(committed))
    }

    /// Whether a process reported the session's end; without a copy it may never have had one.
    fn has_told_end(&self, incarnation: Incarnation, key: SessionKey) -> bool {
        self.history.endings.iter().any(|ending| ending.incarnation == incarnation && ending.key == key)
    }

    /// Whether a copy is complete, as its canary proves, and shows a write, or something that may have
    /// taken its position.
    fn shows(&self, op: OpId, copy: &Seen) -> bool {
        let record = &self.history.ops[op];
        let Action::Write(writes) = &record.action else { return true };
        // In mode `async`, or across sides, an old acknowledged write may arrive late and win.
        let divided = self.history.divisions.last().is_some_and(|division| division.to.is_none());
        let is_late = divided || self.history.mode == Ack::Asynchronous;
        let is_complete = copy.contains_key(&Attribute::Canary);
        is_complete
            && writes.iter().all(|(name, value)| {
                let found = copy.get(name).copied();
                found == *value
                    || self.history.ops_of(record.session).any(|(other, rival)| {
                        other != op
                            && rival.writes(*name) == Some(found)
                            && rival.counts()
                            && (is_late || rival.over().is_none_or(|over| Some(over) > record.committed))
                    })
            })
    }

    fn close(&mut self, host: HostId, op: OpId) {
        let key = self.key_of(op);
        let Some(request) = self.hosts[host].as_mut().and_then(|host| host.requests.get_mut(&op)) else {
            return;
        };
        if std::mem::take(&mut request.open) {
            self.history.ops[op].closed = Some(self.queue.now());
            self.drive(host, |node, now, _| node.close(key, now));
        }
    }

    /// The response leaves once the gate is open.
    fn leave(&mut self, host: HostId, op: OpId) {
        match self.gate(host) {
            Some(Gate::Open) => {
                if let Some(Stage::AtExit(reply)) = self.stage(host, op) {
                    let reply = reply.clone();
                    self.answer(host, op, reply);
                }
            }
            Some(Gate::Closed(_)) => self.answer(host, op, Reply::Unconfirmed),
            Some(Gate::Stalled) | None => {}
        }
    }

    fn answer(&mut self, host: HostId, op: OpId, reply: Reply) {
        let Some(request) = self.hosts[host].as_mut().and_then(|host| host.requests.remove(&op)) else {
            return;
        };
        let back = self.rng.duration(Duration::from_micros(50), Duration::from_micros(500));
        self.queue.after(back, Event::Outside(Outside::Reply(op, request.attempt, reply)));
    }

    fn stage(&self, host: HostId, op: OpId) -> Option<&Stage> {
        self.hosts[host].as_ref()?.requests.get(&op).map(|request| &request.stage)
    }

    fn set_stage(&mut self, host: HostId, op: OpId, stage: Stage) {
        if let Some(request) = self.hosts[host].as_mut().and_then(|host| host.requests.get_mut(&op)) {
            request.stage = stage;
        }
    }

    fn key_of(&self, op: OpId) -> SessionKey {
        self.history.sessions[self.history.ops[op].session].key
    }

    /// Whether the client still waits for that operation.
    pub(super) fn is_pending(&self, op: OpId) -> bool {
        self.history.ops[op].outcome == Outcome::Pending
    }
}

/// The process itself needs no secret. Where a login came in between, the request is the browser's.
fn proof(request: &Op, session: &SimSession, secret: sessile_core::Secret) -> Proof {
    let is_newest = request.secret + 1 == session.secrets.len();
    if request.is_trusted && is_newest { Proof::Trusted } else { Proof::Secret(secret) }
}

fn put(changes: &mut Changes, name: Attribute, value: Option<u64>) {
    let name = FieldName::attribute(&name.to_string()).expect("a short name without control characters");
    changes.put(name, value.map(|value| Value::raw(value.to_le_bytes().to_vec())));
}

/// The attributes of a copy as clients read them; a damaged value reads as a value that was never written.
pub(super) fn seen(fields: &Fields) -> Seen {
    let attributes = fields.attributes();
    attributes
        .filter_map(|(name, value)| {
            let number = value.bytes.try_into().map_or(u64::MAX, u64::from_le_bytes);
            Some((name.parse().ok()?, number))
        })
        .chain(next::read(fields).map(|number| (Attribute::Later, number)))
        .collect()
}
