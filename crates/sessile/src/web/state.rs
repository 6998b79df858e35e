//! What all clones of one request's session share, and what is left to do when the application is done.

use sessile_core::{FieldName, Receipt, SessionKey};

use super::app::AppSessions;
use super::cookie::Identity;
use super::draft::{Draft, Standing};
use super::error::SessionError;
use super::extent::Extent;
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
    pub(crate) receipt: Option<Receipt>,
}

/// What the layer has to do when the application is done.
pub(crate) struct Closing {
    /// What the response waits for, in the order in which the node took it.
    pub(crate) settlements: Vec<Settlement>,
    /// Why the node did not take the writes.
    pub(crate) refusal: Option<SessionError>,
    /// Attributes that were changed in place in vain.
    pub(crate) dropped: Vec<FieldName>,
    pub(crate) cookie: CookieChange,
    /// The session, if there is one now.
    pub(crate) key: Option<SessionKey>,
    pub(crate) used: bool,
    /// Something was written, beside what is sent again.
    pub(crate) wrote: bool,
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
    /// Hands what was written to the node, and as much of the rest as `extent` says.
    pub(crate) fn commit(&mut self, app: &AppSessions, extent: Extent) -> Closing {
        self.over = true;
        let sealed = self.draft.seal(extent, &app.settings);
        let handed = sealed.and_then(|dropped| self.hand_over(&app.host).map(|()| dropped));
        let (dropped, refusal) = match handed {
            Ok(dropped) => (dropped, None),
            Err(why) => {
                self.draft.forget_new();
                (Vec::new(), Some(why))
            }
        };
        Closing {
            settlements: std::mem::take(&mut self.settlements),
            refusal,
            dropped,
            wrote: self.draft.writes_any(),
            cookie: self.cookie_change(),
            key: self.draft.key(),
            used: self.used,
            ended_here: self.ended,
        }
    }

    fn hand_over(&mut self, host: &SessionHost) -> Result<(), SessionError> {
        if let Some((key, changes)) = self.draft.changes() {
            self.settlements.push(host.commit(key, changes)?);
        }
        if let Some(key) = self.draft.key() {
            host.keep(key, self.draft.local.take_changes());
        }
        Ok(())
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
