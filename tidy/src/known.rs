//! Exceptions that are tolerated for now, each with its reason.

use crate::Problem;

/// The exceptions of one check: the start of a problem's file and what it says there, and why it is
/// tolerated.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The check, for the message about an exception that is not needed.
    pub check: &'a str,
    /// File, part of what is wrong, reason.
    pub exceptions: &'a [(&'a str, &'a str, &'a str)],
}

impl Known<'_> {
    /// The problems that no exception covers, and one problem for each exception that covers nothing.
    #[must_use]
    pub fn apply(&self, problems: Vec<Problem>) -> Vec<Problem> {
        let covers = |exception: &(&str, &str, &str), problem: &Problem| {
            problem.file == exception.0 && problem.what.contains(exception.1)
        };
        let is_needed =
            |exception: &&(&str, &str, &str)| problems.iter().any(|problem| covers(exception, problem));
        let unneeded = self.exceptions.iter().filter(|exception| !is_needed(exception));
        let mut rest: Vec<Problem> = unneeded
            .map(|(file, what, _)| {
                let said =
                    format!("the exception {what:?} of the check {:?} is not needed any more", self.check);
                Problem::new(file, 0, said, "take it out of the check's list of known exceptions")
            })
            .collect();
        let is_known = |problem: &Problem| self.exceptions.iter().any(|exception| covers(exception, problem));
        rest.extend(problems.into_iter().filter(|problem| !is_known(problem)));
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Known<'_> =
        Known { check: "names", exceptions: &[("a.rs", "tokio", "mended by another change")] };

    #[test]
    fn an_exception_covers_its_own_file_only() {
        let problems =
            vec![Problem::new("a.rs", 3, "names tokio", ""), Problem::new("b.rs", 1, "names tokio", "")];
        let rest = KNOWN.apply(problems);
        assert_eq!(rest.iter().map(|problem| problem.file.as_str()).collect::<Vec<_>>(), ["b.rs"]);
    }

    #[test]
    fn an_exception_that_covers_nothing_is_a_problem() {
        let rest = KNOWN.apply(Vec::new());
        assert_eq!(rest.len(), 1);
        assert!(rest[0].what.contains("not needed any more"), "{}", rest[0]);
    }
}
