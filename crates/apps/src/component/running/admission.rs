//! Room for requests: so many run, so many wait, the others are told to come back.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::failure::Failure;
use super::limits::Limits;

/// The room of one component on this node.
pub(super) struct Admission {
    running: Arc<Semaphore>,
    /// Running and waiting together.
    inside: Arc<Semaphore>,
    /// How long one waits at most.
    patience: Duration,
}

/// A request's place, until it is dropped.
pub(super) struct Place {
    _running: OwnedSemaphorePermit,
    _inside: OwnedSemaphorePermit,
}

impl Admission {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            running: Arc::new(Semaphore::new(limits.concurrency)),
            inside: Arc::new(Semaphore::new(limits.concurrency + limits.queue)),
            patience: limits.request_time,
        }
    }

    /// Waits for a place, first come first served.
    pub(super) async fn place(&self) -> Result<Place, Failure> {
        let inside = Arc::clone(&self.inside).try_acquire_owned().map_err(|_| Failure::Busy)?;
        let running = tokio::time::timeout(self.patience, Arc::clone(&self.running).acquire_owned()).await;
        match running {
            Ok(Ok(running)) => Ok(Place { _running: running, _inside: inside }),
            _ => Err(Failure::Busy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(concurrency: usize, queue: usize) -> Arc<Admission> {
        let request_time = Duration::from_millis(50);
        Arc::new(Admission::new(&Limits { concurrency, queue, request_time, ..Limits::default() }))
    }

    #[tokio::test]
    async fn who_waits_comes_in_when_one_leaves() {
        let admission = Arc::new(Admission::new(&Limits { concurrency: 1, queue: 1, ..Limits::default() }));
        let first = admission.place().await;
        let waits = Arc::clone(&admission);
        let second = tokio::spawn(async move { waits.place().await.is_ok() });
        while admission.inside.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(admission.place().await, Err(Failure::Busy)), "the queue is full");
        drop(first);
        assert!(second.await.unwrap());
    }

    #[tokio::test]
    async fn nobody_waits_for_ever() {
        let admission = of(1, 1);
        let _first = admission.place().await;
        assert!(matches!(admission.place().await, Err(Failure::Busy)));
    }

    #[tokio::test]
    async fn without_a_queue_nobody_waits() {
        let admission = of(2, 0);
        let _places = (admission.place().await, admission.place().await);
        assert!(matches!(admission.place().await, Err(Failure::Busy)));
    }
}
