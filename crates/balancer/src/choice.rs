//! Which node is next. Pure: no socket, no clock, no node object; told who is up and who was tried, it
//! answers with an index, so that another engine can be put under it.
//!
//! Clients that no route decides are spread by smooth weighted round robin: each turn every available node
//! gains its weight, the richest is chosen and pays what all gained. Over a full cycle each node gets exactly
//! its weight, and the turns of a heavy node are spread out. A node of weight 0 gets only those whose route
//! names it.

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

/// Chooses nodes by route, else in turn.
#[derive(Debug)]
pub(crate) struct Choice {
    sticky: bool,
    weights: Vec<i64>,
    /// What each node has gained and not yet paid; the sum over all is 0.
    gained: Vec<i64>,
}

impl Choice {
    /// Of no nodes; a place in the list has the weight that it is given by [`Choice::set_weight`].
    pub(crate) fn new(sticky: bool) -> Self {
        Self { sticky, weights: Vec::new(), gained: Vec::new() }
    }

    /// From now on the node at this index, below [`MAX_BACKENDS`], has this weight; a new cycle begins.
    pub(crate) fn set_weight(&mut self, index: usize, weight: u32) {
        if self.weights.len() <= index {
            self.weights.resize(index + 1, 0);
        }
        self.weights[index] = i64::from(weight);
        self.gained.clear();
        self.gained.resize(self.weights.len(), 0);
    }

    /// The node for a client, among those up and not tried; `route` is the node that it was on before.
    /// Nothing when nobody is left.
    pub(crate) fn next(&mut self, up: BackendSet, tried: BackendSet, route: Option<usize>) -> Option<usize> {
        let available = up.without(tried);
        match route {
            Some(named) if self.sticky && available.contains(named) => Some(named),
            _ => self.in_turn(available),
        }
    }

    fn in_turn(&mut self, available: BackendSet) -> Option<usize> {
        let mut chosen = None;
        let mut pot = 0;
        for index in 0..self.weights.len() {
            if !available.contains(index) || self.weights[index] == 0 {
                continue;
            }
            self.gained[index] += self.weights[index];
            pot += self.weights[index];
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

    fn weighted(sticky: bool, weights: &[u32]) -> Choice {
        let mut choice = Choice::new(sticky);
        weights.iter().enumerate().for_each(|(index, weight)| choice.set_weight(index, *weight));
        choice
    }

    fn all(count: usize) -> BackendSet {
        (0..count).fold(BackendSet::default(), BackendSet::with)
    }

    #[test]
    fn a_heavy_node_has_its_turns_spread_out() {
        let mut choice = weighted(true, &[3, 1]);
        let turns: Vec<_> = (0..8).filter_map(|_| choice.next(all(2), BackendSet::default(), None)).collect();
        assert_eq!(turns, [0, 0, 1, 0, 0, 0, 1, 0]);
    }

    #[test]
    fn the_route_decides_only_when_sticky_and_available() {
        let mut choice = weighted(true, &[1, 1]);
        assert_eq!(choice.next(all(2), BackendSet::default(), Some(1)), Some(1));
        assert_eq!(choice.next(all(2), BackendSet::default(), Some(1)), Some(1));
        assert_eq!(choice.next(BackendSet::single(0), BackendSet::default(), Some(1)), Some(0));
        assert_eq!(choice.next(all(2), BackendSet::single(1), Some(1)), Some(0));
        let mut free = weighted(false, &[1, 1]);
        assert_eq!(free.next(all(2), BackendSet::default(), Some(1)), Some(0));
        assert_eq!(free.next(all(2), BackendSet::default(), Some(1)), Some(1));
    }

    #[test]
    fn a_node_of_weight_0_gets_only_those_who_were_there() {
        let mut choice = weighted(true, &[0, 1]);
        for _ in 0..3 {
            assert_eq!(choice.next(all(2), BackendSet::default(), None), Some(1));
            assert_eq!(choice.next(all(2), BackendSet::default(), Some(0)), Some(0));
        }
        assert_eq!(choice.next(BackendSet::single(0), BackendSet::default(), None), None);
    }

    proptest! {
        #[test]
        fn over_a_cycle_each_gets_its_weight(
            weights in vec(0_u32..20, 1..8),
            before in vec(0_u32..20, 8),
            turns_before in 0..50,
            routes in vec(0_usize..8, 0..20),
        ) {
            // Whatever went before: turns under other weights, some of nodes that are gone since.
            let mut choice = weighted(true, &before);
            for _ in 0..turns_before {
                choice.next(all(8), BackendSet::default(), None);
            }
            for index in 0..8 {
                choice.set_weight(index, weights.get(index).copied().unwrap_or(0));
            }
            let mut got = vec![0; weights.len()];
            let mut routes = routes.into_iter();
            for _ in 0..weights.iter().sum() {
                // Clients with a route take nobody's turn.
                let route = routes.next();
                prop_assert!(route.is_none() || choice.next(all(8), BackendSet::default(), route) == route);
                got[choice.next(all(8), BackendSet::default(), None).unwrap()] += 1;
            }
            prop_assert_eq!(got, weights);
        }

        #[test]
        fn only_nodes_up_and_untried_are_chosen(
            weights in vec(1_u32..1_000, 1..65),
            asks in vec((any::<u64>(), any::<u64>(), 0_usize..80), 1..50),
        ) {
            let mut choice = weighted(true, &weights);
            for (up, tried, route) in asks {
                let up = BackendSet::from_bits(up & all(weights.len()).bits());
                let tried = BackendSet::from_bits(tried);
                let left = up.without(tried);
                match choice.next(up, tried, Some(route)) {
                    Some(index) => {
                        prop_assert!(left.contains(index));
                        prop_assert!(index == route || !left.contains(route));
                    }
                    None => prop_assert_eq!(left, BackendSet::default()),
                }
            }
        }
    }
}
