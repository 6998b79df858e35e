//! Chooses the next operations of a client so that faults become visible.

use crate::{Action, Attribute, SeededRng};

/// Registers of a session.
const REGISTERS: u64 = 3;
/// Range of operations before a client logs out: minimum, and exclusive maximum.
const LIFE: (u64, u64) = (20, 120);
/// Reads with the old cookie after the logout.
const PROBES: u32 = 3;
/// Values of client number n begin at n times this, so values are unique.
const VALUES: u64 = 1_000_000_000;

/// Operations of one client: writes and removals of registers, set additions, pair writes, reads, logouts,
/// and reads of ended sessions.
#[derive(Clone, Debug)]
pub struct Workload {
    rng: SeededRng,
    next_value: u64,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A session exists for this many further operations.
    Working(u64),
    /// The session has ended; this many probes are left.
    Probing(u32),
    /// There is no session.
    Idle,
}

impl Workload {
    /// The workload of the client of that number, below 2^20; the same for the same seed.
    pub fn new(seed: u64, client: u32) -> Self {
        let next_value = (u64::from(client) + 1) * VALUES;
        Self { rng: SeededRng::new(seed, u64::from(client) + 1), next_value, phase: Phase::Idle }
    }

    /// The next operations, one or two that are to run at once. After [`Action::Create`] all are about the
    /// new session.
    pub fn next_actions(&mut self) -> Vec<Action> {
        match self.phase {
            Phase::Idle | Phase::Probing(0) => {
                self.phase = Phase::Working(LIFE.0 + self.rng.below(LIFE.1 - LIFE.0));
                vec![Action::Create]
            }
            Phase::Working(0) => {
                self.phase = Phase::Probing(PROBES);
                vec![Action::Logout]
            }
            Phase::Working(left) => {
                self.phase = Phase::Working(left - 1);
                self.at_work()
            }
            Phase::Probing(left) => {
                self.phase = Phase::Probing(left - 1);
                vec![Action::Read]
            }
        }
    }

    /// The session is gone, or could not be created.
    pub fn forget(&mut self) {
        self.phase = Phase::Idle;
    }

    /// A unique number: the value of a write, or a canary.
    pub fn value(&mut self) -> u64 {
        self.next_value += 1;
        self.next_value
    }

    /// A random number below `bound` (not 0) from the client's stream.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.rng.below(bound)
    }

    fn at_work(&mut self) -> Vec<Action> {
        let value = self.value();
        let register = Attribute::Register(self.rng.below(REGISTERS) as u8);
        match self.rng.below(20) {
            0..=6 => vec![write(register, value)],
            7 => vec![Action::Write(vec![(register, None)])],
            8..=10 => vec![self.addition()],
            11 => vec![pair(value)],
            // Two concurrent writes of one attribute on any nodes: all copies must agree on one of them.
            12 => vec![write(register, value), write(register, self.value())],
            // Two concurrent writes of different attributes on any nodes: both must survive.
            13 => vec![self.addition(), write(register, value)],
            14 => vec![self.addition(), self.addition()],
            15 => vec![pair(value), Action::Read],
            _ => vec![Action::Read],
        }
    }

    fn addition(&mut self) -> Action {
        let value = self.value();
        Action::Write(vec![(Attribute::Member(value), Some(value))])
    }
}

fn write(attribute: Attribute, value: u64) -> Action {
    Action::Write(vec![(attribute, Some(value))])
}

fn pair(value: u64) -> Action {
    Action::Write(vec![(Attribute::Pair(0), Some(value)), (Attribute::Pair(1), Some(value))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_created_used_ended_and_probed() {
        let mut workload = Workload::new(7, 3);
        let actions: Vec<_> = (0..400).flat_map(|_| workload.next_actions()).collect();
        let ends: Vec<_> = (0..actions.len()).filter(|at| actions[*at] == Action::Logout).collect();
        assert!(ends.len() >= 2 && actions[0] == Action::Create, "{actions:?}");
        for end in &ends[..ends.len() - 1] {
            assert_eq!(actions[end + 1..end + 4], [Action::Read, Action::Read, Action::Read]);
            assert_eq!(actions[end + 4], Action::Create);
        }
    }

    #[test]
    fn one_attribute_is_written_twice_at_once() {
        let mut workload = Workload::new(7, 3);
        let written = |action: &Action| match action {
            Action::Write(writes) => writes.first().map(|(attribute, _)| *attribute),
            _ => None,
        };
        let both = (0..400).map(|_| workload.next_actions()).filter(|actions| match actions.as_slice() {
            [one, other] => one != other && written(one).is_some() && written(one) == written(other),
            _ => false,
        });
        assert!(both.count() > 3);
    }

    #[test]
    fn the_same_seed_gives_the_same_operations_and_no_value_twice() {
        let run = |seed, client| {
            let mut workload = Workload::new(seed, client);
            (0..200).map(|_| workload.next_actions()).collect::<Vec<_>>()
        };
        assert_eq!(run(1, 0), run(1, 0));
        assert_ne!(run(1, 0), run(1, 1));
        let mut workload = Workload::new(1, 0);
        let values: std::collections::BTreeSet<_> = (0..1_000).map(|_| workload.value()).collect();
        assert_eq!(values.len(), 1_000);
        assert!(values.iter().all(|value| value / VALUES == 1));
    }
}
