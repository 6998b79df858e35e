//! Separate threads for guests and the compiler, so that a busy guest delays no heartbeat, replication or
//! other application.

use std::sync::Arc;

use tokio::runtime::{Builder, Handle, Runtime};

use super::error::ComponentError;

/// Niceness of the guests' threads relative to the cluster's.
#[cfg(target_os = "linux")]
const GUEST_NICENESS: i32 = 5;

/// A tokio runtime for guests alone. Clones share it; it ends with the last clone, together with its tasks.
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
        // Blocking on threads is not allowed inside a runtime, and this may run in one.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Lowers the priority of this thread (Linux only), so that the cluster's threads go first.
pub(super) fn stand_back() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(GUEST_NICENESS) {
        tracing::debug!(%error, "this thread keeps its priority");
    }
}
