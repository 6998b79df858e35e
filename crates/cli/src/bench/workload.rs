//! The article's two kinds of sessions, and the change of one repetition.

use clap::ValueEnum;

/// Content of a session, and the change of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// 100 attributes of 1 KB; a repetition changes one of them
    Lite,
    /// One attribute of 100 KB; a repetition rewrites it
    Heavy,
}

impl Workload {
    /// Attributes of a session.
    pub(crate) fn attributes(self) -> u64 {
        match self {
            Self::Lite => 100,
            Self::Heavy => 1,
        }
    }

    /// Bytes of one value.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::Lite => 1_024,
            Self::Heavy => 102_400,
        }
    }

    /// The attribute that a repetition changes.
    pub(crate) fn name(self, repetition: u64) -> String {
        format!("a{}", repetition % self.attributes())
    }
}
