//! The threads that everything runs on.

use std::future::Future;

use tokio::runtime::Builder;

use crate::cores::Cores;
use crate::failure::Failure;

/// Runs a verb on one thread for each core, which take tasks from each other. What it left running is cut when it is done.
pub(crate) fn run<T>(verb: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = Builder::new_multi_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::Failed(format!("the system gives no threads: {error}")))?;
    let done = runtime.block_on(verb);
    runtime.shutdown_background();
    done
}

/// Runs a verb on this thread, with others that serve connections.
pub(crate) fn run_with_cores<T, F>(verb: impl FnOnce(Cores) -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    let cores = Cores::all();
    let cores = cores.map_err(|error| Failure::Failed(format!("the system gives no threads: {error}")))?;
    run_on_one_thread(verb(cores))
}

/// Runs a verb on this thread alone: for those that must take little of the machine.
pub(crate) fn run_on_one_thread<T>(verb: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Failed(format!("the system gives no events: {error}")))?;
    let done = runtime.block_on(verb);
    runtime.shutdown_background();
    done
}
