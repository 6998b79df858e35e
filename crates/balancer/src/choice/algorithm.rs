//! The algorithms that give a client without a route a backend. Pure: no socket, no clock, no lock.
//!
//! | algorithm | chooses | source |
//! |---|---|---|
//! | round robin | each in turn, as often as its weight says | smooth weighted round robin (nginx) |
//! | least connections | the fewest requests at it for its weight; equal ones in turn | HAProxy `leastconn` |
//! | two choices | the less loaded of two drawn by weight | Mitzenmacher 2001 |
//! | source | the same one for the same client address | rendezvous hashing, Thaler and Ravishankar 1998 |

use serde::{Deserialize, Serialize};

/// How a client whose cookie or address names no backend is given one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// Each in turn, as often as its weight says.
    #[default]
    RoundRobin,
    /// The backend with the fewest running requests for its weight.
    LeastConnections,
    /// Of two backends drawn by weight, the one with fewer running requests for its weight. Several balancers
    /// in front of the same backends do not all run to the same one.
    TwoChoices,
    /// By the client's address: the same backend as long as it is up, whichever balancer is asked. When a
    /// backend goes, only its own clients move.
    Source,
}

/// A backend that may be chosen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    /// Its place in the pool.
    pub(crate) index: usize,
    /// The same number at every balancer: see [`identity`].
    pub(crate) identity: u64,
    /// Its share now, above 0.
    pub(crate) weight: u32,
    /// Requests that are at it.
    pub(crate) active: usize,
}

impl Candidate {
    /// Whether it has fewer requests for its weight than another one. The one that is chosen counts with the
    /// request.
    fn is_freer_than(&self, other: &Self) -> bool {
        self.cost(other) < other.cost(self)
    }

    fn is_as_free_as(&self, other: &Self) -> bool {
        self.cost(other) == other.cost(self)
    }

    /// Its load as a fraction, on the denominator that it shares with another one.
    fn cost(&self, other: &Self) -> u128 {
        (self.active as u128 + 1) * u128::from(other.weight)
    }

    /// Its score for a client: the highest of all candidates is the client's. Weighted as Schindelhauer and
    /// Schomaker do (2005): the share of each candidate is its weight.
    fn score(&self, client: u64) -> f64 {
        let hash = mix(client ^ self.identity);
        // 53 bits, above 0 and below 1.
        let uniform = ((hash >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        -f64::from(self.weight) / uniform.ln()
    }
}

/// A number for a text that is the same in every process and on every machine: FNV-1a, mixed.
pub(crate) fn identity(text: &[u8]) -> u64 {
    let hash = text.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    mix(hash)
}

/// The finaliser of SplitMix64: every bit of the result depends on every bit of the number.
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Fewest requests for the weight; several that are equal are all of them.
pub(super) fn least_loaded(
    candidates: impl Iterator<Item = Candidate> + Clone,
) -> impl Iterator<Item = Candidate> + Clone {
    let least = candidates.clone().reduce(|best, next| if next.is_freer_than(&best) { next } else { best });
    candidates.filter(move |candidate| least.is_some_and(|least| candidate.is_as_free_as(&least)))
}

/// Of two candidates that these numbers draw by weight, the less loaded.
pub(super) fn two_choices(
    candidates: impl Iterator<Item = Candidate> + Clone,
    random: [u64; 2],
) -> Option<Candidate> {
    let first = drawn(candidates.clone(), random[0])?;
    let others = candidates.filter(move |candidate| candidate.index != first.index);
    match drawn(others, random[1]) {
        Some(second) if second.is_freer_than(&first) => Some(second),
        _ => Some(first),
    }
}

/// The candidate that a random number draws, each with its weight's chance.
fn drawn(candidates: impl Iterator<Item = Candidate> + Clone, random: u64) -> Option<Candidate> {
    let all: u64 = candidates.clone().map(|candidate| u64::from(candidate.weight)).sum();
    let mut left = random.checked_rem(all)?;
    for candidate in candidates {
        match left.checked_sub(u64::from(candidate.weight)) {
            Some(rest) => left = rest,
            None => return Some(candidate),
        }
    }
    None
}

/// The candidate of this client.
pub(super) fn of_client(candidates: impl Iterator<Item = Candidate>, client: u64) -> Option<Candidate> {
    candidates.max_by(|one, other| one.score(client).total_cmp(&other.score(client)))
}

/// Random numbers that need no quality but speed: SplitMix64.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new() -> Self {
        use std::hash::{BuildHasher, RandomState};
        Self(RandomState::new().hash_one(std::process::id()))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(loads: &[(u32, usize)]) -> Vec<Candidate> {
        let name = |index: usize| identity(format!("tc{index:02}").as_bytes());
        let each = loads.iter().enumerate();
        each.map(|(index, (weight, active))| Candidate {
            index,
            identity: name(index),
            weight: *weight,
            active: *active,
        })
        .collect()
    }

    fn shares(loads: &[(u32, usize)], choose: impl Fn(&[Candidate], u64) -> usize) -> Vec<usize> {
        let candidates = candidates(loads);
        let mut shares = vec![0; loads.len()];
        for client in 0..12_000_u64 {
            shares[choose(&candidates, identity(&client.to_le_bytes()))] += 1;
        }
        shares
    }

    #[test]
    fn the_fewest_requests_for_the_weight_win() {
        let best = |loads: &[(u32, usize)]| -> Vec<usize> {
            least_loaded(candidates(loads).into_iter()).map(|candidate| candidate.index).collect()
        };
        assert_eq!(best(&[(1, 3), (1, 2), (1, 5)]), [1]);
        assert_eq!(best(&[(4, 7), (1, 2)]), [0], "8/4 is less than 3/1");
        assert_eq!(best(&[(1, 2), (2, 5), (1, 9)]), [0, 1]);
        assert_eq!(best(&[]), Vec::<usize>::new());
    }

    #[test]
    fn of_two_the_less_loaded_is_chosen_and_one_alone_is_chosen_always() {
        let mut random = Random::new();
        for _ in 0..1_000 {
            let draw = [random.next(), random.next()];
            let chosen = two_choices(candidates(&[(1, 9), (1, 0)]).into_iter(), draw).unwrap();
            assert_eq!(chosen.index, 1);
            let chosen = two_choices(candidates(&[(1, 9), (1, 3), (1, 0)]).into_iter(), draw).unwrap();
            assert_ne!(chosen.index, 0, "it is never the less loaded of two");
            assert_eq!(two_choices(candidates(&[(7, 3)]).into_iter(), draw).unwrap().index, 0);
            assert!(two_choices(candidates(&[]).into_iter(), draw).is_none());
        }
    }

    #[test]
    fn clients_are_spread_by_weight_and_stay_when_another_backend_goes() {
        let of = |candidates: &[Candidate], client| {
            of_client(candidates.iter().copied(), client).map_or(usize::MAX, |candidate| candidate.index)
        };
        let got = shares(&[(1, 0), (2, 0), (3, 0)], of);
        for (weight, share) in [1_usize, 2, 3].into_iter().zip(&got) {
            assert!((2_000 * weight).abs_diff(*share) < 200, "{got:?}");
        }
        let all = candidates(&[(1, 0), (2, 0), (3, 0)]);
        for client in 0..2_000_u64 {
            let (before, after) = (of(&all, mix(client)), of(&all[..2], mix(client)));
            assert!(before == 2 || before == after, "only the clients of the one that went move");
        }
    }

    #[test]
    fn two_choices_draw_by_weight_where_all_are_idle() {
        let got = shares(&[(1, 0), (3, 0)], |candidates, random| {
            drawn(candidates.iter().copied(), random).unwrap().index
        });
        assert!(got[0].abs_diff(3_000) < 250, "{got:?}");
    }
}
