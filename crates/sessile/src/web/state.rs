//! What all clones of one request's session share, and what is left to do when the application is done.

use sessile_core::{Receipt, SessionKey};

use super::cookie::Identity;
use super::draft::{Draft, Standing};
use super::error::SessionError;
use crate::cluster::host::{SessionHost, Settlement};
use crate::cluster::sending::{Busy, Passage};

/// The session of one request, from its opening to its commit.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) draft: Draft,
    /// The application looked into the session or wrote to it.
    pub(crate) used: bool,
    /// The request ended the session that it came with.
    pub(crate) ended: bool,
    /// The cookie's secret is not the session's any more.
    pub(crate) renewed: bool,
    /// What was already handed to the node, in that order.
    pub(crate) settlements: Vec<Settlement>,
    /// The head of the response is on its way, or the request was given up: nothing is written any more.
    pub(crate) over: bool,
    pub(crate) receipt: Option<Receipt>,
}

/// What the layer has to do when the application is done.
pub(crate) struct Closing {
    /// What the response waits for, in the order in which the node took it.
    pub(crate) settlements: Vec<Settlement>,
    /// Why the node did not take the writes.
    pub(crate) refusal: Option<SessionError>,
    pub(crate) cookie: CookieChange,
    /// The session, if there is one now.
    pub(crate) key: Option<SessionKey>,
    pub(crate) used: bool,
    /// The request ended the session that it came with.
    pub(crate) ended_here: bool,
}

/// What the response tells the browser to do with the cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CookieChange {
    Keep,
    Set(Identity),
    Remove,
}

impl State {
    /// From now on nothing is written any more; gives the session that was.
    pub(crate) fn seal(&mut self) -> Option<SessionKey> {
        self.over = true;
        self.draft.changes().map(|(key, _)| key)
    }

    /// Hands what was written to the node.
    pub(crate) fn commit(&mut self, host: &SessionHost, passage: Result<Passage, Busy>) -> Closing {
        let hand = |(key, changes)| match passage {
            Ok(passage) => host.commit(key, changes, passage).map_err(SessionError::from),
            Err(Busy) => Err(SessionError::Busy),
        };
        let handed = self.draft.changes().map(hand);
        let refusal = match handed {
            None => None,
            Some(Ok(settlement)) => {
                self.settlements.push(settlement);
                None
            }
            Some(Err(why)) => {
                self.draft.forget_new();
                Some(why)
            }
        };
        Closing {
            settlements: std::mem::take(&mut self.settlements),
            refusal,
            cookie: self.cookie_change(),
            key: self.draft.key(),
            used: self.used,
            ended_here: self.ended,
        }
    }

    fn cookie_change(&self) -> CookieChange {
        match self.draft.standing() {
            Standing::New(identity) => CookieChange::Set(identity),
            Standing::Held(identity) if self.renewed => CookieChange::Set(identity),
            _ if self.ended => CookieChange::Remove,
            Standing::Held(_) | Standing::Absent | Standing::Unknown(_) => CookieChange::Keep,
        }
    }
}
