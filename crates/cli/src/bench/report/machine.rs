//! The machine and the build that produced the figures.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Machine and build, for readers of the figures. A value that the system does not report is `unknown`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) version: String,
    /// `release` or `debug`; figures of a debug build mean nothing.
    pub(crate) build: String,
    pub(crate) system: String,
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory: String,
    /// Load average of the minute before the run: cores used by other programs.
    pub(crate) load: String,
}

impl Machine {
    pub(crate) fn look() -> Self {
        let release = file("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            build: if cfg!(debug_assertions) { "debug" } else { "release" }.to_owned(),
            system: format!("{} {} {release}", std::env::consts::OS, std::env::consts::ARCH)
                .trim()
                .to_owned(),
            processor: field("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory: field("/proc/meminfo", "MemTotal"),
            load: file("/proc/loadavg")
                .and_then(|load| load.split(' ').next().map(str::to_owned))
                .unwrap_or_else(unknown),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, build, system, processor, cores, memory, load } = self;
        write!(
            out,
            "sessile {version} ({build} build), {system}, {cores} cores of {processor}, memory {memory}, load before \
             {load}"
        )
    }
}

fn file(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// The value of the first line `name: value` of a file.
fn field(path: &str, name: &str) -> String {
    let text = file(path).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let found = lines.into_iter().find(|(key, _)| key.trim() == name);
    found.map_or_else(unknown, |(_, value)| value.trim().to_owned())
}

fn unknown() -> String {
    "unknown".to_owned()
}
