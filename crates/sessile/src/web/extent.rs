//! How much of a session travels when a request is over: what a manager means to the session layer.

use crate::config::{Manager, Replication};

/// What is handed to the node at the end of a request that opened a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The fields that were written. Where nobody is to have copies, that is nobody.
    Written,
    /// The whole session, if the request set something.
    WholeIfSet,
    /// The whole session, and with it what was changed in place.
    Whole,
}

impl Extent {
    pub(crate) fn of(manager: Manager, replication: &Replication) -> Self {
        match manager {
            Manager::Delta | Manager::Local => Self::Written,
            Manager::Full if replication.dirty_flag => Self::WholeIfSet,
            Manager::Full => Self::Whole,
        }
    }
}
