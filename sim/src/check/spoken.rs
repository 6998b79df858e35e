//! An end that a dead member announced shortly before its death is notified by a member in its place (rule
//! 7.23).

use std::time::Duration;

use crate::check::Violation;
use crate::check::knowledge::Knowledge;
use crate::history::{Ending, SimRemoval};

const CHECKER: &str = "C6 unspoken";

/// Between the end as its author reports it and as the others hear of it, at the most.
const ON_THE_WAY: Duration = Duration::from_millis(500);

pub(super) fn check(knowledge: &Knowledge<'_>) -> Vec<Violation> {
    let remembers = knowledge.history.remembers_ends;
    let endings = knowledge.history.endings.iter().filter(|ending| !ending.remote && remembers);
    endings.filter_map(|ending| unspoken(knowledge, ending)).take(1).collect()
}

/// Nobody spoke for the dead process that made this end.
fn unspoken(knowledge: &Knowledge<'_>, ending: &Ending) -> Option<Violation> {
    let history = knowledge.history;
    let died = history.life(ending.incarnation)?.to?;
    let removals: Vec<_> = history
        .removals
        .iter()
        .filter(|removal| removal.member == ending.incarnation && removal.at >= died)
        .collect();
    let last = removals.iter().map(|removal| removal.at).max()?;
    let witnesses = |removal: &&SimRemoval| {
        let heard =
            history.endings.iter().find(|heard| heard.incarnation == removal.by && heard.key == ending.key);
        heard.is_some_and(|heard| {
            heard.remote
                && heard.at >= ending.at
                && heard.at < removal.at
                && removal.at.since(heard.at) + ON_THE_WAY < history.drop_time * 2
        })
    };
    // Who left in order has notified its own listeners: then at least one member did not take it for lost.
    let stays = |life: &&crate::history::SimLife| life.from < ending.at && life.to.is_none_or(|to| to > last);
    let mut others = history.lives.iter().filter(stays);
    let is_lost_to_all = others.all(|life| removals.iter().any(|removal| removal.by == life.incarnation));
    let is_witnessed = is_lost_to_all && removals.iter().all(witnesses);
    // Where another one was stopped, died or ended the session as well, the one that heard it first may be
    // gone.
    let is_calm = (history.lives.iter()).all(|life| {
        life.incarnation == ending.incarnation
            || life.from > last
            || life.from < ending.at && knowledge.was_up(life.incarnation, ending.at, last)
    });
    let endings = history.endings.iter().filter(|other| other.key == ending.key && !other.remote);
    if !is_witnessed || !is_calm || endings.count() > 1 || knowledge.was_divided(ending.at, last) {
        return None;
    }
    let is_spoken =
        |at: &&crate::history::Spoken| at.key == ending.key && at.incarnation != ending.incarnation;
    let spoken = history.spoken.iter().any(|spoken| is_spoken(&spoken));
    (!spoken).then(|| Violation {
        checker: CHECKER,
        words: format!(
            "{} ended {} and died, and no member told of it in its place",
            ending.incarnation, ending.key
        ),
        session: None,
        ops: Vec::new(),
    })
}
