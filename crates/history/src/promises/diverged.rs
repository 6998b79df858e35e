//! C5: after the last fault heals all copies become equal.

use crate::{BrokenPromise, BrokenPromiseKind, Holding, Knowledge};

pub(super) fn find(knowledge: &Knowledge<'_>) -> Vec<BrokenPromise> {
    let at_once = |pair: &&[Holding]| pair[0].at == pair[1].at;
    let pairs = knowledge.history.holdings.windows(2).filter(at_once);
    pairs.flat_map(|pair| unequal(knowledge, &pair[0], &pair[1])).collect()
}

fn unequal(knowledge: &Knowledge<'_>, one: &Holding, other: &Holding) -> Vec<BrokenPromise> {
    let name = |holding: &Holding| knowledge.history.node_of(Some(holding.process));
    (0..knowledge.history.sessions.len())
        .filter(|session| one.sessions.get(session) != other.sessions.get(session))
        .filter(|session| !knowledge.is_ending(*session, one.at))
        .map(|session| BrokenPromise {
            kind: BrokenPromiseKind::Diverged,
            session,
            operations: Vec::new(),
            at: one.at,
            why: format!(
                "{} has {:?}, {} has {:?}",
                name(one),
                one.sessions.get(&session),
                name(other),
                other.sessions.get(&session)
            ),
        })
        .collect()
}
