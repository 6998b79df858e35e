//! Numbers that nodes show, and what the simulator knows of them: sizes of clusters, sessions at risk, ages,
//! bounds.

use std::ops::RangeInclusive;
use std::time::Duration;

use sessile_core::{Effect, Instant, Receipt, reached};

use crate::harder::Draw;
use crate::history::HostId;
use crate::world::World;
use crate::world::observe::Phase;

/// Clocks show whole milliseconds, and requests wake up a moment after the fact.
const ROUNDING: Duration = Duration::from_millis(3);

impl World {
    /// A process's events change what its receipts may want: gives the sizes before and after.
    pub(super) fn hear(&mut self, host: HostId, decided: &[Effect]) -> RangeInclusive<u32> {
        let Some(process) = &mut self.hosts[host] else { return 0..=u32::MAX };
        let before = process.view.wanted();
        for effect in decided {
            if let Effect::Event(event) = effect {
                process.view.hear(event);
            }
        }
        let after = process.view.wanted();
        *before.start().min(after.start())..=*before.end().max(after.end())
    }

    /// Looks at every process that serves: at the sessions at risk, the bytes of its table, and what it owes.
    pub(super) fn look_at_numbers(&mut self, agreed: bool) {
        let now = self.now();
        let is_calm =
            agreed && matches!(self.phase, Phase::Quiet(since) if now.since(since) >= Duration::from_secs(3));
        let mut broken = Vec::new();
        for (host, process) in self.hosts.iter_mut().enumerate() {
            let Some(process) = process.as_mut().filter(|process| process.is_well()) else { continue };
            if process.node.backlogs(process.time(now)).is_empty() {
                process.owed_nothing_at = now;
            }
            let (at_risk, sessions) = (process.node.at_risk(), process.node.session_count(None));
            let view = &process.view;
            if is_calm && at_risk > 0 && view.is_whole() && self.history.has_room {
                broken.push((
                    "at risk",
                    format!("n{host} has {at_risk} sessions at risk, though all members hold all"),
                ));
            }
            if view.is_lacking() && at_risk < sessions {
                broken.push((
                    "at risk",
                    format!("n{host} lost a member, and says that {at_risk} of {sessions} are at risk"),
                ));
            }
            let bytes = process.node.table_bytes();
            if self.harder.max_table_bytes().is_some_and(|most| bytes > most as u64) {
                broken.push(("bounds", format!("n{host} holds {bytes} bytes, more than it is allowed")));
            }
        }
        let first = broken.into_iter().next();
        self.history.broken.extend(first.filter(|_| self.history.broken.len() < 3));
    }

    /// The age in an asynchronous receipt: not more than since nothing was owed, not less than since the
    /// first commit that a stopped member cannot have confirmed.
    pub(super) fn check_age(&mut self, host: HostId, receipt: Receipt) {
        let (Some(age), Some(process)) = (receipt.unconfirmed_for, &self.hosts[host]) else { return };
        let now = self.now();
        let most = now.since(process.owed_nothing_at) + ROUNDING;
        let least = self.unconfirmed_since(host).map_or(Duration::ZERO, |since| now.since(since));
        // What is sent again counts from then on.
        let least = least.min(self.harder.timing.ack_timeout / 2).saturating_sub(ROUNDING);
        let drift = age / 1_000;
        if age > most + drift {
            self.history.broken.push(("age", format!("n{host} says {age:?}, and owed nothing {most:?} ago")));
        }
        if age + drift < least && self.history.is_reliable && self.harder.has(Draw::AsyncAge) {
            let words = format!("n{host} says {age:?}, and a stopped member has not confirmed for {least:?}");
            self.history.broken.push(("age", words));
        }
    }

    /// The first commit of a process since one of its members was stopped.
    fn unconfirmed_since(&self, host: HostId) -> Option<Instant> {
        let process = self.hosts[host].as_ref()?;
        let stopped = self
            .hosts
            .iter()
            .flatten()
            .filter(|other| other.paused && process.view.contains(other.incarnation));
        let since = |other: &crate::process::Process| {
            self.history.life(other.incarnation)?.pauses.last().map(|(at, _)| *at)
        };
        let since = stopped.filter_map(since).min()?;
        let commits = self.history.ops.iter().filter(|op| op.incarnation == Some(process.incarnation));
        commits.filter(|op| op.receipt.is_some()).filter_map(|op| op.committed).filter(|at| *at > since).min()
    }

    /// What this run reached of the core's bounds.
    pub(super) fn count_bounds(&mut self) {
        self.counters.bounds = reached();
    }
}
