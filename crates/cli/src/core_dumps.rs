//! The memory of this program holds the cluster's secret and sessions: no core dump is written of it.

/// Sets the soft limit of core dumps to zero. The hard limit stays, so that an operator who wants a dump can
/// have it: `prlimit --core=unlimited --pid PID`.
#[cfg(unix)]
pub(crate) fn forbid() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let maximum = getrlimit(Resource::Core).maximum;
    if let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum }) {
        tracing::warn!(%error, "core dumps of this process stay allowed; they would hold secrets");
    }
}

/// Where a process has no such limit.
#[cfg(not(unix))]
pub(crate) fn forbid() {}

#[cfg(all(test, unix))]
mod tests {
    #[test]
    fn no_core_dump_is_written_until_an_operator_allows_it() {
        let before = rustix::process::getrlimit(rustix::process::Resource::Core);
        super::forbid();
        let limit = rustix::process::getrlimit(rustix::process::Resource::Core);
        assert_eq!((limit.current, limit.maximum), (Some(0), before.maximum));
    }
}
