//! The runtimes of the program.

use std::future::Future;

use tokio::runtime::Builder;

use crate::cores::Cores;
use crate::descriptors;
use crate::failure::Failure;

/// Runs a verb on a work-stealing runtime with one thread for each core. Remaining tasks are cut at the end.
pub(crate) fn run<T>(verb: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = Builder::new_multi_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::Failed(format!("the system cannot create a thread: {error}")))?;
    let done = runtime.block_on(verb);
    runtime.shutdown_background();
    done
}

/// Runs a verb on this thread, with further threads that serve connections.
pub(crate) fn run_with_cores<T, F>(verb: impl FnOnce(Cores) -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Failure>>,
{
    descriptors::raise_limit();
    let cores = Cores::all();
    let cores =
        cores.map_err(|error| Failure::Failed(format!("the system cannot create a thread: {error}")))?;
    run_on_one_thread(verb(cores))
}

/// Runs a verb on this thread alone, for verbs that must use little of the machine.
pub(crate) fn run_on_one_thread<T>(verb: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime
        .map_err(|error| Failure::Failed(format!("the system cannot create an event queue: {error}")))?;
    let done = runtime.block_on(verb);
    runtime.shutdown_background();
    done
}
