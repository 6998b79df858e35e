//! How many sessions a node holds in memory, over all its shards.
//!
//! The bound on creations is exact without a lock over all shards: a creation is counted before its session
//! is in a table, and no longer counted when it fails. Must not know what a session is.

use std::sync::atomic::{AtomicU64, Ordering::AcqRel, Ordering::Acquire};

/// Sessions in the tables of all shards, and creations that are under way.
#[derive(Debug, Default)]
pub(crate) struct Population(AtomicU64);

impl Population {
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Acquire)
    }

    /// A table took a session that did not count, as a copy of another member's.
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, AcqRel);
    }

    /// A table gave a session up.
    pub(crate) fn remove(&self) {
        self.0.fetch_sub(1, AcqRel);
    }

    /// Creates a session, unless there are `most`. It counts from now on: the table that takes it must not
    /// [`add`](Self::add) it.
    ///
    /// # Errors
    /// `full` if there are as many, or why `create` refuses.
    pub(crate) fn created<E>(
        &self,
        most: u64,
        full: E,
        create: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        let counted = self.0.fetch_update(AcqRel, Acquire, |count| (count < most).then_some(count + 1));
        counted.map_err(|_| full)?;
        create().inspect_err(|_| self.remove())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_creation_that_is_refused_does_not_count() {
        let population = Population::default();
        assert_eq!(population.created(1, "full", || Err("ended")), Err("ended"));
        assert_eq!(population.created(1, "full", || Ok(())), Ok(()));
        assert_eq!(population.created(1, "full", || Ok(())), Err("full"));
        population.remove();
        assert_eq!(population.count(), 0);
    }

    #[test]
    fn a_creation_that_is_under_way_counts() {
        let population = Population::default();
        let while_it_runs = || population.created(1, "full", || Ok(()));
        assert_eq!(population.created(1, "full", while_it_runs), Err("full"));
        assert_eq!(population.count(), 0);
    }
}
