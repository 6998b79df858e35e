//! The coordinator's side: prepare, offer, commit.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Effect, HELLO_TIME, Member, NodeResult, Outcome, Protocol, Took};
use crate::farm::archived::Archived;
use crate::farm::message::{Message, Order};
use crate::farm::seal::Stage;
use crate::farm::stamp::Stamp;

/// How often is said again what was not answered.
const RESEND: Duration = Duration::from_secs(1);

/// A deployment that this node coordinates.
#[derive(Debug)]
pub(super) struct Deployment {
    pub(super) order: Order,
    number: u64,
    began: Duration,
    offered: Duration,
    committed: Duration,
    phase: Phase,
    answers: BTreeMap<Member, Answer>,
    sent: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// By this node itself.
    Preparing,
    /// Members prepare it.
    Offered,
    /// It holds: this node has switched, and the others are told to.
    Committed,
}

/// What a member said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Waiting,
    Prepared,
    Over(NodeResult),
}

impl Protocol {
    /// Begins to deploy what is on the shelf, or to remove what is at `path`. The [`Outcome`] comes with `number`.
    pub(crate) fn order(
        &mut self,
        number: u64,
        path: &str,
        archive: Option<Archived>,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        if self.deployments.contains_key(path) {
            effects.push(Effect::Settled { number, outcome: Outcome::Busy });
            return;
        }
        let order = Order { path: path.to_owned(), stamp: self.next_stamp(path), archive, seal: None };
        let order = self.sealer.sealed(order, Stage::Offered);
        let (phase, answers) = (Phase::Preparing, BTreeMap::new());
        let prepare = order.archive.clone();
        let stamp = order.stamp;
        let (began, offered, committed, sent) = (now, now, now, now);
        let deployment = Deployment { order, number, began, offered, committed, phase, answers, sent };
        self.deployments.insert(path.to_owned(), deployment);
        match prepare {
            Some(archive) => effects.push(Effect::Prepare { path: path.to_owned(), stamp, archive }),
            None => self.offer(path, now, effects),
        }
    }

    /// This node has prepared what it coordinates, or cannot run it.
    pub(super) fn prepared_here(
        &mut self,
        path: &str,
        result: Result<(), String>,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        match result {
            Ok(()) => self.offer(path, now, effects),
            Err(reason) => {
                let by = self.me.name.clone();
                self.give_up(path, Outcome::Refused { by, reason }, effects);
            }
        }
    }

    fn offer(&mut self, path: &str, now: Duration, effects: &mut Vec<Effect>) {
        let Some(deployment) = self.deployments.get_mut(path) else { return };
        deployment.phase = Phase::Offered;
        (deployment.offered, deployment.sent) = (now, now);
        deployment.answers = self.peers.keys().map(|member| (member.clone(), Answer::Waiting)).collect();
        deployment.say_again(effects);
        self.commit_when_prepared(path, now, effects);
    }

    pub(super) fn prepared_there(
        &mut self,
        from: &Member,
        path: &str,
        stamp: Stamp,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        self.answer(from, path, stamp, Answer::Prepared);
        self.commit_when_prepared(path, now, effects);
    }

    pub(super) fn refused_there(
        &mut self,
        from: &Member,
        path: &str,
        stamp: Stamp,
        reason: String,
        effects: &mut Vec<Effect>,
    ) {
        let is_offered =
            |deployment: &Deployment| deployment.order.stamp == stamp && deployment.phase == Phase::Offered;
        if self.deployments.get(path).is_some_and(is_offered) {
            self.give_up(path, Outcome::Refused { by: from.name.clone(), reason }, effects);
        }
    }

    pub(super) fn active_there(
        &mut self,
        from: &Member,
        path: &str,
        stamp: Stamp,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        self.answer(from, path, stamp, Answer::Over(NodeResult::Active));
        self.settle_when_over(path, now, effects);
    }

    fn answer(&mut self, from: &Member, path: &str, stamp: Stamp, answer: Answer) {
        let deployment = self.deployments.get_mut(path).filter(|deployment| deployment.order.stamp == stamp);
        let waits_for = |deployment: &Deployment| match answer {
            Answer::Prepared => deployment.phase == Phase::Offered,
            _ => deployment.phase == Phase::Committed,
        };
        if let Some(known) = deployment.filter(|it| waits_for(it)).and_then(|it| it.answers.get_mut(from)) {
            *known = answer;
        }
    }

    fn commit_when_prepared(&mut self, path: &str, now: Duration, effects: &mut Vec<Effect>) {
        let Some(deployment) = self.deployments.get_mut(path) else { return };
        let is_waiting = deployment.answers.values().any(|answer| *answer == Answer::Waiting);
        if deployment.phase != Phase::Offered || is_waiting {
            return;
        }
        deployment.phase = Phase::Committed;
        (deployment.committed, deployment.sent) = (now, now);
        deployment.order = self.sealer.sealed(deployment.order.clone(), Stage::Held);
        let order = deployment.order.clone();
        // A later deployment of another node may have come first: then it stays.
        if order.stamp > self.catalog.stamp(path) {
            self.switch(order, effects);
        } else {
            effects.push(Effect::Discard { path: path.to_owned(), stamp: order.stamp });
        }
        if let Some(deployment) = self.deployments.get(path) {
            deployment.say_again(effects);
        }
        self.settle_when_over(path, now, effects);
    }

    fn settle_when_over(&mut self, path: &str, now: Duration, effects: &mut Vec<Effect>) {
        let Some(deployment) = self.deployments.get(path) else { return };
        let is_over = deployment.answers.values().all(|answer| matches!(answer, Answer::Over(_)));
        if deployment.phase == Phase::Committed && is_over {
            self.settle(path, now, effects);
        }
    }

    fn settle(&mut self, path: &str, now: Duration, effects: &mut Vec<Effect>) {
        let Some(deployment) = self.deployments.remove(path) else { return };
        let others = deployment.answers.iter().map(|(member, answer)| match answer {
            Answer::Over(result) => (member.name.clone(), *result),
            Answer::Waiting | Answer::Prepared => (member.name.clone(), NodeResult::Unconfirmed),
        });
        let nodes = std::iter::once((self.me.name.clone(), NodeResult::Active)).chain(others).collect();
        let took = Took {
            prepared: deployment.offered.saturating_sub(deployment.began),
            carried: deployment.committed.saturating_sub(deployment.offered),
            switched: now.saturating_sub(deployment.committed),
        };
        effects.push(Effect::Settled { number: deployment.number, outcome: Outcome::Done { nodes, took } });
    }

    /// Ends a deployment that was not committed; everywhere the old version goes on.
    fn give_up(&mut self, path: &str, outcome: Outcome, effects: &mut Vec<Effect>) {
        let Some(deployment) = self.deployments.remove(path) else { return };
        let stamp = deployment.order.stamp;
        for member in deployment.answers.keys() {
            effects.push(Effect::send(member, Message::Abort { path: path.to_owned(), stamp }));
        }
        effects.push(Effect::Discard { path: path.to_owned(), stamp });
        effects.push(Effect::Settled { number: deployment.number, outcome });
    }

    /// Nobody waits for a member that left; when it comes back it catches up.
    pub(super) fn deployments_without(&mut self, member: &Member, now: Duration, effects: &mut Vec<Effect>) {
        for path in self.deployments.keys().cloned().collect::<Vec<_>>() {
            let deployment = self.deployments.get_mut(&path);
            let answer = deployment.and_then(|deployment| deployment.answers.get_mut(member));
            if let Some(answer @ (Answer::Waiting | Answer::Prepared)) = answer {
                *answer = Answer::Over(NodeResult::Left);
                self.commit_when_prepared(&path, now, effects);
                self.settle_when_over(&path, now, effects);
            }
        }
    }

    pub(super) fn tick_deployments(&mut self, now: Duration, effects: &mut Vec<Effect>) {
        for path in self.deployments.keys().cloned().collect::<Vec<_>>() {
            self.drop_strangers(&path, now);
            self.commit_when_prepared(&path, now, effects);
            self.settle_when_over(&path, now, effects);
            let Some(deployment) = self.deployments.get_mut(&path) else { continue };
            if now >= deployment.began + self.settings.deploy_time {
                self.time_out(&path, now, effects);
            } else if now >= deployment.sent + RESEND {
                deployment.sent = now;
                deployment.say_again(effects);
            }
        }
    }

    /// A member that never said anything has no farm.
    fn drop_strangers(&mut self, path: &str, now: Duration) {
        let Some(deployment) = self.deployments.get_mut(path) else { return };
        for (member, answer) in &mut deployment.answers {
            let silent = self.peers.get(member).is_some_and(|peer| peer.told.is_none());
            if silent && *answer == Answer::Waiting && now >= deployment.began + HELLO_TIME {
                *answer = Answer::Over(NodeResult::NoFarm);
            }
        }
    }

    fn time_out(&mut self, path: &str, now: Duration, effects: &mut Vec<Effect>) {
        let Some(deployment) = self.deployments.get(path) else { return };
        let waiting = deployment.answers.iter().filter(|(_, answer)| **answer == Answer::Waiting);
        let waiting: Vec<String> = waiting.map(|(member, _)| member.name.clone()).collect();
        match deployment.phase {
            Phase::Committed => self.settle(path, now, effects),
            Phase::Offered => self.give_up(path, Outcome::TimedOut { waiting }, effects),
            Phase::Preparing => {
                let waiting = vec![self.me.name.clone()];
                self.give_up(path, Outcome::TimedOut { waiting }, effects);
            }
        }
    }
}

impl Deployment {
    /// To everybody who has not answered; saying it twice does nothing.
    fn say_again(&self, effects: &mut Vec<Effect>) {
        for (member, answer) in &self.answers {
            let message = match (self.phase, answer) {
                (Phase::Offered, Answer::Waiting) => Message::Offer(self.order.clone()),
                (Phase::Committed, Answer::Waiting | Answer::Prepared) => {
                    Message::Activate(self.order.clone())
                }
                _ => continue,
            };
            effects.push(Effect::send(member, message));
        }
    }
}
