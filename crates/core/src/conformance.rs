//! The duties of every [`AckSet`], as a test for any implementation.

use crate::{AckMembers, AckSet, AppId, Candidate, CommittedSession, Incarnation, SessionKey};

/// Sessions that are placed in every view.
const SESSIONS: u8 = 64;

/// Runs `ack_set` over the views that nodes named `names` can form, and more sessions than a rule could list.
/// Call it from a test, with names as your cluster uses them.
///
/// Checked: it has an answer for every view, from a lone node up; the answer is the same every time; it names
/// only members, each once, and never the writer.
///
/// # Panics
/// When the ack_set does not conform; the message says how.
pub fn ack_set(ack_set: &dyn AckSet, names: &[&str]) {
    let view: Vec<Candidate> =
        (1..).zip(names).map(|(incarnation, name)| candidate(incarnation, name)).collect();
    for size in 1..=view.len() {
        for own in &view[..size] {
            let others: Vec<Candidate> = view[..size].iter().filter(|other| *other != own).cloned().collect();
            (0..SESSIONS).for_each(|number| in_one_view(ack_set, number, own, &others));
        }
    }
}

fn in_one_view(ack_set: &dyn AckSet, number: u8, own: &Candidate, others: &[Candidate]) {
    let session = CommittedSession { key: SessionKey([number; 16]), app: AppId(u32::from(number % 3)) };
    let answer = ack_set.awaited(session, own, others);
    assert_eq!(
        answer,
        ack_set.awaited(session, own, others),
        "{ack_set:?} gave two answers to one question: {own:?} among {others:?}"
    );
    let AckMembers::Only(mut chosen) = answer else { return };
    let count = chosen.len();
    chosen.sort_unstable();
    chosen.dedup();
    assert_eq!(chosen.len(), count, "{ack_set:?} names a member twice");
    assert!(!chosen.contains(&own.incarnation), "{ack_set:?} lets {own:?} wait for itself");
    let is_member = |incarnation: &Incarnation| others.iter().any(|other| other.incarnation == *incarnation);
    assert!(chosen.iter().all(is_member), "{ack_set:?} names {chosen:?}, which are not all in {others:?}");
}

fn candidate(incarnation: u32, name: &str) -> Candidate {
    Candidate { incarnation: Incarnation(incarnation), name: name.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::AllMembers;

    const NAMES: [&str; 3] = ["tc01", "tc02", "tc03"];

    /// Answers with what its function makes of the others' incarnations.
    struct By<F>(F);

    impl<F> std::fmt::Debug for By<F> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("By")
        }
    }

    impl<F: Fn(Incarnation, Vec<Incarnation>) -> Vec<Incarnation> + Send + Sync> AckSet for By<F> {
        fn awaited(&self, _: CommittedSession, own: &Candidate, others: &[Candidate]) -> AckMembers {
            AckMembers::Only((self.0)(
                own.incarnation,
                others.iter().map(|other| other.incarnation).collect(),
            ))
        }
    }

    #[test]
    fn the_default_and_an_honest_choice_conform() {
        ack_set(&AllMembers, &NAMES);
        ack_set(&By(|_: Incarnation, others: Vec<Incarnation>| others.into_iter().take(1).collect()), &NAMES);
    }

    #[test]
    #[should_panic(expected = "two answers")]
    fn a_changing_mind_is_found() {
        let asked = AtomicUsize::new(0);
        let fickle = |_: Incarnation, others: Vec<Incarnation>| {
            others.into_iter().take(asked.fetch_add(1, Ordering::Relaxed) % 2).collect()
        };
        ack_set(&By(fickle), &NAMES);
    }

    #[test]
    #[should_panic(expected = "wait for itself")]
    fn waiting_for_oneself_is_found() {
        ack_set(&By(|own: Incarnation, _: Vec<Incarnation>| vec![own]), &NAMES);
    }

    #[test]
    #[should_panic(expected = "not all in")]
    fn a_stranger_is_found() {
        ack_set(&By(|_: Incarnation, _: Vec<Incarnation>| vec![Incarnation(99)]), &NAMES);
    }
}
