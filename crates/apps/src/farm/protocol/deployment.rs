//! The coordinator: prepare, offer, commit.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{DeployOutcome, DeployTimes, Effect, FarmMember, HELLO_TIME, NodeResult, Protocol};
use crate::farm::archive_ref::ArchiveRef;
use crate::farm::deploy_timestamp::DeployTimestamp;
use crate::farm::message::{DeployOrder, Message};
use crate::farm::seal::DeployStage;

/// Interval at which unanswered messages are repeated.
const RESEND: Duration = Duration::from_secs(1);

/// A deployment that this node coordinates.
#[derive(Debug)]
pub(super) struct Deployment {
    pub(super) order: DeployOrder,
    number: u64,
    began: Duration,
    offered: Duration,
    committed: Duration,
    phase: DeployPhase,
    answers: BTreeMap<FarmMember, MemberAnswer>,
    sent: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DeployPhase {
    /// This node prepares the archive.
    Preparing,
    /// The members prepare the archive.
    Offered,
    /// Committed: this node has switched, and the others are ordered to switch.
    Committed,
}

/// The answer of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MemberAnswer {
    Waiting,
    Prepared,
    Over(NodeResult),
}

impl Protocol {
    /// Begins to deploy an archive of the store, or to remove the application at `path`. The
    /// [`DeployOutcome`] comes with `number`.
    pub(crate) fn order(
        &mut self,
        number: u64,
        path: &str,
        archive: Option<ArchiveRef>,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        if self.deployments.contains_key(path) {
            effects.push(Effect::Settled { number, outcome: DeployOutcome::Busy });
            return;
        }
        let order =
            DeployOrder { path: path.to_owned(), timestamp: self.next_timestamp(path), archive, seal: None };
        let order = self.sealer.sealed(order, DeployStage::Offered);
        let (phase, answers) = (DeployPhase::Preparing, BTreeMap::new());
        let prepare = order.archive.clone();
        let timestamp = order.timestamp;
        let (began, offered, committed, sent) = (now, now, now, now);
        let deployment = Deployment { order, number, began, offered, committed, phase, answers, sent };
        self.deployments.insert(path.to_owned(), deployment);
        match prepare {
            Some(archive) => effects.push(Effect::Prepare { path: path.to_owned(), timestamp, archive }),
            None => self.offer(path, now, effects),
        }
    }

    /// Processes this node's own preparation of a coordinated deployment.
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
                self.give_up(path, DeployOutcome::Refused { by, reason }, effects);
            }
        }
    }

    fn offer(&mut self, path: &str, now: Duration, effects: &mut Vec<Effect>) {
        let Some(deployment) = self.deployments.get_mut(path) else { return };
        deployment.phase = DeployPhase::Offered;
        (deployment.offered, deployment.sent) = (now, now);
        deployment.answers =
            self.peers.keys().map(|member| (member.clone(), MemberAnswer::Waiting)).collect();
        deployment.say_again(effects);
        self.commit_when_prepared(path, now, effects);
    }

    pub(super) fn prepared_there(
        &mut self,
        from: &FarmMember,
        path: &str,
        timestamp: DeployTimestamp,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        self.answer(from, path, timestamp, MemberAnswer::Prepared);
        self.commit_when_prepared(path, now, effects);
    }

    pub(super) fn refused_there(
        &mut self,
        from: &FarmMember,
        path: &str,
        timestamp: DeployTimestamp,
        reason: String,
        effects: &mut Vec<Effect>,
    ) {
        let is_offered = |deployment: &Deployment| {
            deployment.order.timestamp == timestamp && deployment.phase == DeployPhase::Offered
        };
        if self.deployments.get(path).is_some_and(is_offered) {
            self.give_up(path, DeployOutcome::Refused { by: from.name.clone(), reason }, effects);
        }
    }

    pub(super) fn active_there(
        &mut self,
        from: &FarmMember,
        path: &str,
        timestamp: DeployTimestamp,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        let deployment = self.deployments.get(path).filter(|known| known.order.timestamp == timestamp);
        if let Some(order) = deployment.map(|deployment| deployment.order.clone()) {
            self.runs_there(from, order);
        }
        self.answer(from, path, timestamp, MemberAnswer::Over(NodeResult::Active));
        self.settle_when_over(path, now, effects);
    }

    fn answer(&mut self, from: &FarmMember, path: &str, timestamp: DeployTimestamp, answer: MemberAnswer) {
        let deployment =
            self.deployments.get_mut(path).filter(|deployment| deployment.order.timestamp == timestamp);
        let waits_for = |deployment: &Deployment| match answer {
            MemberAnswer::Prepared => deployment.phase == DeployPhase::Offered,
            _ => deployment.phase == DeployPhase::Committed,
        };
        if let Some(known) = deployment.filter(|it| waits_for(it)).and_then(|it| it.answers.get_mut(from)) {
            *known = answer;
        }
    }

    fn commit_when_prepared(&mut self, path: &str, now: Duration, effects: &mut Vec<Effect>) {
        let Some(deployment) = self.deployments.get_mut(path) else { return };
        let is_waiting = deployment.answers.values().any(|answer| *answer == MemberAnswer::Waiting);
        if deployment.phase != DeployPhase::Offered || is_waiting {
            return;
        }
        deployment.phase = DeployPhase::Committed;
        (deployment.committed, deployment.sent) = (now, now);
        deployment.order = self.sealer.sealed(deployment.order.clone(), DeployStage::Held);
        let order = deployment.order.clone();
        // A later deployment of another node may have come first; it stays.
        if order.timestamp > self.catalog.timestamp(path) {
            self.switch(order, effects);
        } else {
            effects.push(Effect::Discard { path: path.to_owned(), timestamp: order.timestamp });
        }
        if let Some(deployment) = self.deployments.get(path) {
            deployment.say_again(effects);
        }
        self.settle_when_over(path, now, effects);
    }

    fn settle_when_over(&mut self, path: &str, now: Duration, effects: &mut Vec<Effect>) {
        let Some(deployment) = self.deployments.get(path) else { return };
        let is_over = deployment.answers.values().all(|answer| matches!(answer, MemberAnswer::Over(_)));
        if deployment.phase == DeployPhase::Committed && is_over {
            self.settle(path, now, effects);
        }
    }

    fn settle(&mut self, path: &str, now: Duration, effects: &mut Vec<Effect>) {
        let Some(deployment) = self.deployments.remove(path) else { return };
        let timestamp = deployment.order.timestamp;
        let later_there =
            |member| self.peers.get(member).is_some_and(|peer| peer.timestamp(path) > timestamp);
        let others = deployment.answers.iter().map(|(member, answer)| match answer {
            MemberAnswer::Over(NodeResult::Active) if later_there(member) => {
                (member.name.clone(), NodeResult::Superseded)
            }
            MemberAnswer::Over(result) => (member.name.clone(), *result),
            MemberAnswer::Waiting | MemberAnswer::Prepared => (member.name.clone(), NodeResult::Unconfirmed),
        });
        let is_later = self.catalog.timestamp(path) > timestamp;
        let own = if is_later { NodeResult::Superseded } else { NodeResult::Active };
        let nodes = std::iter::once((self.me.name.clone(), own)).chain(others).collect();
        let took = DeployTimes {
            prepared: deployment.offered.saturating_sub(deployment.began),
            carried: deployment.committed.saturating_sub(deployment.offered),
            switched: now.saturating_sub(deployment.committed),
        };
        effects.push(Effect::Settled {
            number: deployment.number,
            outcome: DeployOutcome::Done { nodes, took },
        });
    }

    /// Ends an uncommitted deployment; the old version stays everywhere.
    fn give_up(&mut self, path: &str, outcome: DeployOutcome, effects: &mut Vec<Effect>) {
        let Some(deployment) = self.deployments.remove(path) else { return };
        let timestamp = deployment.order.timestamp;
        for member in deployment.answers.keys() {
            effects.push(Effect::send(member, Message::Abort { path: path.to_owned(), timestamp }));
        }
        effects.push(Effect::Discard { path: path.to_owned(), timestamp });
        effects.push(Effect::Settled { number: deployment.number, outcome });
    }

    /// A deployment does not wait for a member that left; the member catches up when it returns.
    pub(super) fn deployments_without(
        &mut self,
        member: &FarmMember,
        now: Duration,
        effects: &mut Vec<Effect>,
    ) {
        for path in self.deployments.keys().cloned().collect::<Vec<_>>() {
            let deployment = self.deployments.get_mut(&path);
            let answer = deployment.and_then(|deployment| deployment.answers.get_mut(member));
            if let Some(answer @ (MemberAnswer::Waiting | MemberAnswer::Prepared)) = answer {
                *answer = MemberAnswer::Over(NodeResult::Left);
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

    /// A member that never sent a catalog has no farm.
    fn drop_strangers(&mut self, path: &str, now: Duration) {
        let Some(deployment) = self.deployments.get_mut(path) else { return };
        for (member, answer) in &mut deployment.answers {
            let silent = self.peers.get(member).is_some_and(|peer| peer.catalog.is_none());
            if silent && *answer == MemberAnswer::Waiting && now >= deployment.began + HELLO_TIME {
                *answer = MemberAnswer::Over(NodeResult::NoFarm);
            }
        }
    }

    fn time_out(&mut self, path: &str, now: Duration, effects: &mut Vec<Effect>) {
        let Some(deployment) = self.deployments.get(path) else { return };
        let waiting = deployment.answers.iter().filter(|(_, answer)| **answer == MemberAnswer::Waiting);
        let waiting: Vec<String> = waiting.map(|(member, _)| member.name.clone()).collect();
        match deployment.phase {
            DeployPhase::Committed => self.settle(path, now, effects),
            DeployPhase::Offered => self.give_up(path, DeployOutcome::TimedOut { waiting }, effects),
            DeployPhase::Preparing => {
                let waiting = vec![self.me.name.clone()];
                self.give_up(path, DeployOutcome::TimedOut { waiting }, effects);
            }
        }
    }
}

impl Deployment {
    /// Repeats the message to all members without an answer; messages are idempotent.
    fn say_again(&self, effects: &mut Vec<Effect>) {
        for (member, answer) in &self.answers {
            let message = match (self.phase, answer) {
                (DeployPhase::Offered, MemberAnswer::Waiting) => Message::Offer(self.order.clone()),
                (DeployPhase::Committed, MemberAnswer::Waiting | MemberAnswer::Prepared) => {
                    Message::Activate(self.order.clone())
                }
                _ => continue,
            };
            effects.push(Effect::send(member, message));
        }
    }
}
