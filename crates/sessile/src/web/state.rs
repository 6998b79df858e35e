//! What all clones of one request's session share, and what is left to do when the application is done.

use sessile_core::{Receipt, Refusal, SessionKey};

use super::cookie::Identity;
use super::draft::{Draft, Standing};
use crate::cluster::host::{SessionHost, Settlement};

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
    /// The request is over, and what it wrote is settled.
    pub(crate) done: bool,
    pub(crate) receipt: Option<Receipt>,
}

/// What the layer has to do when the application is done.
pub(crate) struct Closing {
    /// What the response waits for, in the order in which the node took it.
    pub(crate) settlements: Vec<Settlement>,
    /// Why the node did not take the writes.
    pub(crate) refusal: Option<Refusal>,
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
    /// Hands what was written to the node.
    pub(crate) fn commit(&mut self, host: &SessionHost) -> Closing {
        self.over = true;
        let refusal = self.hand_over(host).err();
        if refusal.is_some() {
            self.draft.forget_new();
        }
        Closing {
            settlements: std::mem::take(&mut self.settlements),
            refusal,
            cookie: self.cookie_change(),
            key: self.draft.key(),
            used: self.used,
            ended_here: self.ended,
        }
    }

    /// As [`commit`](Self::commit) for a caller outside HTTP, who goes on from there. What is refused stays written
    /// here, unless the session ended.
    pub(crate) fn commit_trusted(&mut self, host: &SessionHost) -> Result<Vec<Settlement>, Refusal> {
        let written = self.draft.changes().map(|(key, _)| key);
        if let Err(refusal) = self.hand_over(host) {
            if refusal == Refusal::Ended {
                self.draft = Draft::over();
            }
            return Err(refusal);
        }
        if let Some(key) = written {
            let copy = host.copy(key);
            self.draft = copy.map_or_else(Draft::over, |copy| Draft::trusted(key, copy));
        }
        Ok(std::mem::take(&mut self.settlements))
    }

    fn hand_over(&mut self, host: &SessionHost) -> Result<(), Refusal> {
        if let Some((key, changes)) = self.draft.changes() {
            self.settlements.push(host.commit(key, changes)?);
        }
        Ok(())
    }

    fn cookie_change(&self) -> CookieChange {
        match self.draft.standing() {
            Standing::New(identity) => CookieChange::Set(identity),
            Standing::Held(identity) if self.renewed => CookieChange::Set(identity),
            _ if self.ended => CookieChange::Remove,
            Standing::Held(_)
            | Standing::Absent
            | Standing::Unknown(_)
            | Standing::Trusted(_)
            | Standing::Over => CookieChange::Keep,
        }
    }
}
