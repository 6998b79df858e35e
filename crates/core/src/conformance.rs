//! What every [`Placement`] has to do, as a test that any implementation can be run through.

use crate::{AppId, Awaited, Boot, Candidate, PlacedSession, Placement, SessionKey};

/// Sessions that are placed in every view.
const SESSIONS: u8 = 64;

/// Runs `placement` over the views that nodes named `names` can form, and more sessions than a rule could list.
/// Call it from a test, with names as your cluster uses them.
///
/// Checked: it has an answer for every view, from a lone node up; the answer is the same every time; it names only
/// members, each once, and never the writer.
///
/// # Panics
/// When the placement does not conform; the message says how.
pub fn placement(placement: &dyn Placement, names: &[&str]) {
    let view: Vec<Candidate> = (1..).zip(names).map(|(boot, name)| candidate(boot, name)).collect();
    for size in 1..=view.len() {
        for own in &view[..size] {
            let others: Vec<Candidate> = view[..size].iter().filter(|other| *other != own).cloned().collect();
            (0..SESSIONS).for_each(|number| in_one_view(placement, number, own, &others));
        }
    }
}

fn in_one_view(placement: &dyn Placement, number: u8, own: &Candidate, others: &[Candidate]) {
    let session = PlacedSession { key: SessionKey([number; 16]), app: AppId(u32::from(number % 3)) };
    let answer = placement.awaited(session, own, others);
    assert_eq!(
        answer,
        placement.awaited(session, own, others),
        "{placement:?} gave two answers to one question: {own:?} among {others:?}"
    );
    let Awaited::Only(mut chosen) = answer else { return };
    let count = chosen.len();
    chosen.sort_unstable();
    chosen.dedup();
    assert_eq!(chosen.len(), count, "{placement:?} names a member twice");
    assert!(!chosen.contains(&own.boot), "{placement:?} lets {own:?} wait for itself");
    let is_member = |boot: &Boot| others.iter().any(|other| other.boot == *boot);
    assert!(chosen.iter().all(is_member), "{placement:?} names {chosen:?}, which are not all in {others:?}");
}

fn candidate(boot: u32, name: &str) -> Candidate {
    Candidate { boot: Boot(boot), name: name.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::Everybody;

    const NAMES: [&str; 3] = ["tc01", "tc02", "tc03"];

    /// Answers with what its function makes of the others' boots.
    struct By<F>(F);

    impl<F> std::fmt::Debug for By<F> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("By")
        }
    }

    impl<F: Fn(Boot, Vec<Boot>) -> Vec<Boot> + Send + Sync> Placement for By<F> {
        fn awaited(&self, _: PlacedSession, own: &Candidate, others: &[Candidate]) -> Awaited {
            Awaited::Only((self.0)(own.boot, others.iter().map(|other| other.boot).collect()))
        }
    }

    #[test]
    fn the_default_and_an_honest_choice_conform() {
        placement(&Everybody, &NAMES);
        placement(&By(|_: Boot, others: Vec<Boot>| others.into_iter().take(1).collect()), &NAMES);
    }

    #[test]
    #[should_panic(expected = "two answers")]
    fn a_changing_mind_is_found() {
        let asked = AtomicUsize::new(0);
        let fickle = |_: Boot, others: Vec<Boot>| {
            others.into_iter().take(asked.fetch_add(1, Ordering::Relaxed) % 2).collect()
        };
        placement(&By(fickle), &NAMES);
    }

    #[test]
    #[should_panic(expected = "wait for itself")]
    fn waiting_for_oneself_is_found() {
        placement(&By(|own: Boot, _: Vec<Boot>| vec![own]), &NAMES);
    }

    #[test]
    #[should_panic(expected = "not all in")]
    fn a_stranger_is_found() {
        placement(&By(|_: Boot, _: Vec<Boot>| vec![Boot(99)]), &NAMES);
    }
}
