//! The connections that commits take for themselves: one of each member, for as long as the commit is not
//! settled.
//!
//! A permit is a further connection number. The lowest free one is given, so that connections beyond the need
//! become idle and are closed. Must not know what a further connection carries.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Some number of permits, each for one commit at a time.
pub(crate) struct Permits {
    free: Mutex<BTreeSet<usize>>,
    number: Semaphore,
}

/// The right to use a further connection, given back when this is dropped.
pub(crate) struct Permit {
    permits: Arc<Permits>,
    connection: usize,
}

impl Permits {
    /// One for each of these connections.
    pub(crate) fn new(connections: impl IntoIterator<Item = usize>) -> Arc<Self> {
        let free: BTreeSet<usize> = connections.into_iter().collect();
        Arc::new(Self { number: Semaphore::new(free.len()), free: Mutex::new(free) })
    }

    /// A permit that is free now.
    pub(crate) fn try_take(self: &Arc<Self>) -> Option<Permit> {
        let counted = self.number.try_acquire().ok()?;
        counted.forget();
        self.pick()
    }

    /// Waits for a permit, for at most that long; those who came earlier get theirs first.
    pub(crate) async fn take(self: &Arc<Self>, at_most: Duration) -> Option<Permit> {
        let counted = timeout(at_most, self.number.acquire()).await.ok()?.ok()?;
        counted.forget();
        self.pick()
    }

    /// Whoever was counted finds a free one: it is put back before it is counted again.
    fn pick(self: &Arc<Self>) -> Option<Permit> {
        let connection = self.free.lock().pop_first()?;
        Some(Permit { permits: Arc::clone(self), connection })
    }

    /// How many are free.
    pub(crate) fn free(&self) -> usize {
        self.free.lock().len()
    }
}

impl Permit {
    pub(crate) fn connection(&self) -> usize {
        self.connection
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.permits.free.lock().insert(self.connection);
        self.permits.number.add_permits(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_connection_is_given_to_one_at_a_time_and_the_lowest_first() {
        let permits = Permits::new(1..=2);
        let (one, two) = (permits.try_take().unwrap(), permits.try_take().unwrap());
        assert_eq!((one.connection(), two.connection(), permits.free()), (1, 2, 0));
        assert!(permits.try_take().is_none());
        assert!(permits.take(Duration::from_millis(1)).await.is_none(), "the wait is bounded");
        drop((two, one));
        assert_eq!(permits.take(Duration::ZERO).await.unwrap().connection(), 1);
        assert_eq!(permits.free(), 2);
    }

    #[tokio::test]
    async fn who_gives_up_waiting_takes_nothing() {
        let permits = Permits::new([1]);
        let held = permits.try_take();
        tokio::select! {
            biased;
            _ = permits.take(Duration::from_secs(60)) => panic!("there is none"),
            () = async { drop(held) } => {}
        }
        assert_eq!(permits.free(), 1);
        assert_eq!(permits.take(Duration::ZERO).await.unwrap().connection(), 1);
    }
}
