//! The threads that guests and the compiler run on: their own, so that a busy guest delays no heartbeat, no replication
//! and no other application.

use std::sync::Arc;

use tokio::runtime::{Builder, Handle, Runtime};

use super::error::ComponentError;

/// How much less a thread of guests gets than one of the cluster where both want the processor, in steps of `nice`.
#[cfg(target_os = "linux")]
const GUEST_NICENESS: i32 = 5;

/// A tokio runtime for guests alone. Clones are the same one; it ends with the last, with whatever still runs on it.
#[derive(Clone)]
pub(super) struct GuestThreads(Arc<Owned>);

struct Owned(Option<Runtime>);

impl GuestThreads {
    /// One thread for each core.
    pub(super) fn start() -> Result<Self, ComponentError> {
        let runtime = Builder::new_multi_thread()
            .enable_all()
            .thread_name("guest")
            .on_thread_start(stand_back)
            .build()
            .map_err(|error| ComponentError::NoRoom(format!("the system gives no threads: {error}")))?;
        Ok(Self(Arc::new(Owned(Some(runtime)))))
    }

    /// Where guests are started.
    pub(super) fn handle(&self) -> &Handle {
        self.0.0.as_ref().expect("taken only when dropped").handle()
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // Waiting for threads is not allowed where tasks run, and this may be such a place.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Lets the cluster's threads go first. On Linux each thread has a priority of its own; elsewhere the scheduler's fairness
/// has to do.
pub(super) fn stand_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(GUEST_NICENESS) {
        tracing::debug!(%error, "this thread keeps its priority");
    }
}
