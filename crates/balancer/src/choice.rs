//! Which node is next. Pure: no socket, no clock, no node object; told who may be chosen, it answers with an
//! index.
//!
//! First the nodes that the client's route ranks, where they may be chosen; then an [`Algorithm`]. A node of
//! weight 0 gets only those whose route names it.

mod algorithm;

pub use algorithm::Algorithm;
pub(crate) use algorithm::{Candidate, identity};
use algorithm::{Random, least_loaded, of_client, two_choices};

/// Most nodes behind one balancer: a [`BackendSet`] is one word.
pub(crate) const MAX_BACKENDS: usize = 64;

/// A set of nodes by index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct BackendSet(u64);

impl BackendSet {
    pub(crate) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) fn single(index: usize) -> Self {
        Self(1 << index)
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    pub(crate) fn contains(self, index: usize) -> bool {
        index < MAX_BACKENDS && self.0 & (1 << index) != 0
    }

    pub(crate) fn with(self, index: usize) -> Self {
        Self(self.0 | Self::single(index).0)
    }

    pub(crate) fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }
}

/// The state of the choice between one client and the next.
#[derive(Debug)]
pub(crate) struct Choice {
    /// The credit of each node: it grows with each turn and is paid when the node is chosen. The sum over all
    /// is 0.
    gained: Vec<i64>,
    random: Random,
}

impl Choice {
    pub(crate) fn new() -> Self {
        Self { gained: Vec::new(), random: Random::new() }
    }

    /// Begins the turns anew, as weights have changed.
    pub(crate) fn begin_anew(&mut self) {
        self.gained.clear();
    }

    /// The node for a client without a route, which `client` identifies. Nothing when there is no candidate
    /// of weight.
    pub(crate) fn next(
        &mut self,
        algorithm: Algorithm,
        candidates: impl Iterator<Item = Candidate> + Clone,
        client: u64,
    ) -> Option<usize> {
        let weighty = candidates.filter(|candidate| candidate.weight > 0);
        match algorithm {
            Algorithm::RoundRobin => self.in_turn(weighty),
            Algorithm::LeastConnections => self.in_turn(least_loaded(weighty)),
            Algorithm::TwoChoices => {
                let random = [self.random.next(), self.random.next()];
                two_choices(weighty, random).map(|candidate| candidate.index)
            }
            Algorithm::Source => of_client(weighty, client).map(|candidate| candidate.index),
        }
    }

    /// Smooth weighted round robin: each turn every candidate gains its weight, the richest is chosen and
    /// pays what all gained. Over a full cycle each gets exactly its weight, and the turns of a heavy one are
    /// spread out.
    fn in_turn(&mut self, candidates: impl Iterator<Item = Candidate>) -> Option<usize> {
        let mut chosen = None;
        let mut pot = 0;
        for Candidate { index, weight, .. } in candidates {
            if self.gained.len() <= index {
                self.gained.resize(index + 1, 0);
            }
            self.gained[index] += i64::from(weight);
            pot += i64::from(weight);
            if chosen.is_none_or(|best: usize| self.gained[index] > self.gained[best]) {
                chosen = Some(index);
            }
        }
        if let Some(index) = chosen {
            self.gained[index] -= pot;
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn candidates(weights: &[u32]) -> impl Iterator<Item = Candidate> + Clone {
        let each = weights.iter().copied().enumerate();
        each.map(|(index, weight)| Candidate { index, identity: index as u64, weight, active: 0 })
    }

    fn turns(choice: &mut Choice, weights: &[u32], count: usize) -> Vec<usize> {
        let next = |_| choice.next(Algorithm::RoundRobin, candidates(weights), 0);
        (0..count).filter_map(next).collect()
    }

    #[test]
    fn a_heavy_node_has_its_turns_spread_out() {
        assert_eq!(turns(&mut Choice::new(), &[3, 1], 8), [0, 0, 1, 0, 0, 0, 1, 0]);
        // The unit of the weights does not matter.
        assert_eq!(turns(&mut Choice::new(), &[300, 100], 8), [0, 0, 1, 0, 0, 0, 1, 0]);
    }

    #[test]
    fn a_node_of_weight_0_gets_nobody_new() {
        assert_eq!(turns(&mut Choice::new(), &[0, 1], 3), [1, 1, 1]);
        assert_eq!(turns(&mut Choice::new(), &[0, 0], 3), Vec::<usize>::new());
    }

    proptest! {
        #[test]
        fn over_a_cycle_each_gets_its_weight(
            weights in vec(0_u32..20, 1..8),
            before in vec(0_u32..20, 8),
            turns_before in 0..50_usize,
        ) {
            // Turns before this one were under other weights, some of nodes that are gone since.
            let mut choice = Choice::new();
            turns(&mut choice, &before, turns_before);
            choice.begin_anew();
            let mut got = vec![0; weights.len()];
            let cycle: u32 = weights.iter().sum();
            for index in turns(&mut choice, &weights, cycle as usize) {
                got[index] += 1;
            }
            prop_assert_eq!(got, weights);
        }

        #[test]
        fn whatever_the_algorithm_only_candidates_are_chosen(
            loads in vec((0_u32..1_000, 0_usize..50), 1..65),
            asks in vec((any::<u64>(), 0_usize..4), 1..50),
        ) {
            let mut choice = Choice::new();
            for (bits, algorithm) in asks {
                let algorithm = [
                    Algorithm::RoundRobin,
                    Algorithm::LeastConnections,
                    Algorithm::TwoChoices,
                    Algorithm::Source,
                ][algorithm];
                let up = BackendSet::from_bits(bits);
                let candidates = loads.iter().enumerate().filter(|(index, _)| up.contains(*index)).map(
                    |(index, (weight, active))| {
                        Candidate { index, identity: bits ^ index as u64, weight: *weight, active: *active }
                    },
                );
                match choice.next(algorithm, candidates.clone(), bits) {
                    Some(index) => prop_assert!(up.contains(index) && loads[index].0 > 0),
                    None => prop_assert!(candidates.clone().all(|candidate| candidate.weight == 0)),
                }
            }
        }
    }
}
