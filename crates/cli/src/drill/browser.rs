//! One client: a session, its cookie, and sometimes two requests at once.

use std::time::Duration;

use sessile_history::{Action, Attribute, OperationOutcome, SessionId, Settled, Workload};
use tokio::time::sleep;

use super::clusterapp_client::{ClusterappClient, OperationResult};
use super::history_recorder::{HistoryRecorder, LoadEnd};
use super::target::Targets;

/// Most repetitions of an unacknowledged set addition. The number is the same each time, so the set holds it
/// once.
const MAX_REPEATS: u32 = 5;
/// Pause before a repetition, and after a failed session creation.
const PAUSE: Duration = Duration::from_millis(100);

/// The client.
pub(super) struct Browser {
    number: u32,
    workload: Workload,
    tabs: [ClusterappClient; 2],
    recorder: HistoryRecorder,
    session: Option<OpenSession>,
    /// Every session of this client, with its cookie.
    pub(super) had: Vec<(SessionId, String)>,
}

#[derive(Debug, Clone)]
struct OpenSession {
    id: SessionId,
    cookie: String,
}

impl Browser {
    pub(super) fn new(seed: u64, number: u32, targets: &Targets, recorder: HistoryRecorder) -> Self {
        let doors = targets.doors();
        let tabs = [(); 2].map(|()| ClusterappClient::new(&doors, targets.patience));
        Self { number, workload: Workload::new(seed, number), tabs, recorder, session: None, had: Vec::new() }
    }

    /// Runs until the load ends; returns the client for the final reading.
    pub(super) async fn work(mut self, think: Duration, end: LoadEnd) -> Self {
        while !end.is_requested() {
            self.step(&end).await;
            sleep(think).await;
        }
        self.had.extend(self.session.take().map(|open| (open.id, open.cookie)));
        self
    }

    async fn step(&mut self, end: &LoadEnd) {
        let actions = self.workload.next_actions();
        match actions.as_slice() {
            [Action::Create] => self.create().await,
            [one] => {
                let door = self.door();
                let done =
                    perform(self.number, &self.recorder, &mut self.tabs[0], door, one, &self.session).await;
                self.take(one, done);
                self.until_answered(one, end).await;
            }
            [one, other] => {
                let (door, second) = (self.door(), self.door());
                let [left, right] = &mut self.tabs;
                let (left, right) = tokio::join!(
                    perform(self.number, &self.recorder, left, door, one, &self.session),
                    perform(self.number, &self.recorder, right, second, other, &self.session)
                );
                self.take(one, left);
                self.take(other, right);
            }
            _ => {}
        }
        if self.session.is_none() {
            self.workload.forget();
        }
    }

    async fn create(&mut self) {
        self.had.extend(self.session.take().map(|open| (open.id, open.cookie)));
        let (canary, door) = (self.workload.value(), self.door());
        let (session, id) = self.recorder.creating(self.number, canary);
        let reply = self.tabs[0].ask(door, &Action::Create, canary, None).await;
        if let (Some(sid), Some(cookie), Some(OperationOutcome::Ok)) =
            (&reply.sid, &reply.cookie, reply.outcome)
        {
            self.recorder.made(session, sid);
            self.session = Some(OpenSession { id: session, cookie: cookie.clone() });
        }
        note(&self.recorder, id, &reply);
        if self.session.is_none() {
            sleep(PAUSE).await;
        }
    }

    /// Repeats an unacknowledged set addition until it is acknowledged, so it counts exactly once.
    async fn until_answered(&mut self, action: &Action, end: &LoadEnd) {
        let is_member = |action: &Action| matches!(action, Action::Write(writes) if matches!(writes[..], [(Attribute::Member(_), _)]));
        let mut repeats = if is_member(action) { MAX_REPEATS } else { 0 };
        while repeats > 0 && self.session.is_some() && !end.is_requested() && !self.tabs[0].was_answered() {
            sleep(PAUSE).await;
            let door = self.door();
            let done =
                perform(self.number, &self.recorder, &mut self.tabs[0], door, action, &self.session).await;
            self.take(action, done);
            repeats -= 1;
        }
    }

    /// Applies a result to the session and its cookie.
    fn take(&mut self, action: &Action, reply: OperationResult) {
        let Some(open) = &mut self.session else { return };
        match reply.outcome {
            // The session is gone; the old cookie is kept for the final reading.
            Some(OperationOutcome::Absent) if !matches!(action, Action::Read) => {
                self.had.extend(self.session.take().map(|open| (open.id, open.cookie)));
            }
            Some(OperationOutcome::Ok) if !matches!(action, Action::Logout) => {
                if let Some(cookie) = reply.cookie {
                    open.cookie = cookie;
                }
            }
            _ => {}
        }
    }

    fn door(&mut self) -> usize {
        self.workload.below(self.tabs[0].doors() as u64) as usize
    }
}

/// Sends one request of an open session and records its result.
async fn perform(
    client: u32,
    recorder: &HistoryRecorder,
    link: &mut ClusterappClient,
    door: usize,
    action: &Action,
    session: &Option<OpenSession>,
) -> OperationResult {
    let Some(OpenSession { id: session, cookie }) = session else { return OperationResult::default() };
    let id = recorder.sending(client, *session, action.clone());
    let reply = link.ask(door, action, 0, Some(cookie)).await;
    note(recorder, id, &reply);
    reply
}

fn note(recorder: &HistoryRecorder, id: sessile_history::OperationId, reply: &OperationResult) {
    recorder.ended(id, reply.node.as_deref(), |operation| {
        operation.outcome = reply.outcome.unwrap_or(OperationOutcome::Unknown);
        operation.seen.clone_from(&reply.seen);
        operation.damaged.clone_from(&reply.damaged);
        let at = operation.ended.unwrap_or(operation.began);
        operation.settled = reply.copies.map(|copies| Settled { at, copies });
    });
}
