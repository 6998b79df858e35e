//! Admission of requests: bounded numbers run and queue, further ones get 503.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::failure::GuestFailure;
use super::limits::GuestLimits;

/// The admission queue of one component on this node.
pub(super) struct AdmissionQueue {
    running: Arc<Semaphore>,
    /// Running and waiting together.
    inside: Arc<Semaphore>,
    /// Longest wait of a request.
    patience: Duration,
}

/// A permit to run a request, until dropped.
pub(super) struct AdmissionPermit {
    _running: OwnedSemaphorePermit,
    _inside: OwnedSemaphorePermit,
}

impl AdmissionQueue {
    pub(super) fn new(limits: &GuestLimits) -> Self {
        Self {
            running: Arc::new(Semaphore::new(limits.concurrency)),
            inside: Arc::new(Semaphore::new(limits.concurrency + limits.queue)),
            patience: limits.request_time,
        }
    }

    /// Waits for a permit, first come first served.
    pub(super) async fn place(&self) -> Result<AdmissionPermit, GuestFailure> {
        let inside = Arc::clone(&self.inside).try_acquire_owned().map_err(|_| GuestFailure::Busy)?;
        let running = tokio::time::timeout(self.patience, Arc::clone(&self.running).acquire_owned()).await;
        match running {
            Ok(Ok(running)) => Ok(AdmissionPermit { _running: running, _inside: inside }),
            _ => Err(GuestFailure::Busy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(concurrency: usize, queue: usize) -> Arc<AdmissionQueue> {
        let request_time = Duration::from_millis(50);
        Arc::new(AdmissionQueue::new(&GuestLimits {
            concurrency,
            queue,
            request_time,
            ..GuestLimits::default()
        }))
    }

    #[tokio::test]
    async fn a_waiting_request_runs_when_another_ends() {
        let admission = Arc::new(AdmissionQueue::new(&GuestLimits {
            concurrency: 1,
            queue: 1,
            ..GuestLimits::default()
        }));
        let first = admission.place().await;
        let waits = Arc::clone(&admission);
        let second = tokio::spawn(async move { waits.place().await.is_ok() });
        while admission.inside.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(admission.place().await, Err(GuestFailure::Busy)), "the queue is full");
        drop(first);
        assert!(second.await.unwrap());
    }

    #[tokio::test]
    async fn a_waiting_request_times_out() {
        let admission = of(1, 1);
        let _first = admission.place().await;
        assert!(matches!(admission.place().await, Err(GuestFailure::Busy)));
    }

    #[tokio::test]
    async fn without_a_queue_requests_fail_at_once() {
        let admission = of(2, 0);
        let _places = (admission.place().await, admission.place().await);
        assert!(matches!(admission.place().await, Err(GuestFailure::Busy)));
    }
}
