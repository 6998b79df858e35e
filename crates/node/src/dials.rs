//! The two dials that `[sender] mode` presets: when a response may go, and over which connections commits
//! travel.
//!
//! The four names of the article are decoded here and nowhere else.

use std::ops::RangeInclusive;

use sessile_config::{Mode, Sender};
use sessile_core::Ack;

/// How this node's commits travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dials {
    /// When a commit counts as settled, and its response may go.
    pub(crate) ack: Ack,
    pub(crate) connections: Connections,
}

/// The connections to each member that commits go over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Connections {
    /// Connections beside connection 0 that commits take for themselves; without any, all go over connection
    /// 0.
    pub(crate) count: usize,
    pub(crate) in_flight: InFlight,
}

/// Commits that may be in flight over one connection at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum InFlight {
    One,
    #[default]
    Any,
}

impl Dials {
    pub(crate) fn of(sender: &Sender) -> Self {
        let (ack, count, in_flight) = match sender.mode {
            Mode::Sync => (Ack::Synchronous, 0, InFlight::One),
            Mode::Pooled => (Ack::Synchronous, sender.pool_size.into(), InFlight::One),
            Mode::Pipelined => (Ack::Synchronous, 0, InFlight::Any),
            Mode::Async => (Ack::Asynchronous, 0, InFlight::Any),
        };
        Self { ack, connections: Connections { count, in_flight } }
    }
}

impl Connections {
    /// The numbers of the connections that carry one commit at a time; `None` where connection 0 carries any
    /// number.
    pub(crate) fn exclusive(self) -> Option<RangeInclusive<usize>> {
        match (self.in_flight, self.count) {
            (InFlight::Any, _) => None,
            (InFlight::One, 0) => Some(0..=0),
            (InFlight::One, count) => Some(1..=count),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_of_the_article_sets_both_dials() {
        let dials = |mode| Dials::of(&Sender { mode, pool_size: 25, ..Sender::default() });
        for (mode, ack, count, exclusive) in [
            (Mode::Sync, Ack::Synchronous, 0, Some(0..=0)),
            (Mode::Pooled, Ack::Synchronous, 25, Some(1..=25)),
            (Mode::Pipelined, Ack::Synchronous, 0, None),
            (Mode::Async, Ack::Asynchronous, 0, None),
        ] {
            let Dials { ack: set, connections } = dials(mode);
            assert_eq!(
                (set, connections.count, connections.exclusive()),
                (ack, count, exclusive),
                "{mode:?}"
            );
        }
    }
}
