//! What all clones of one request's session share, and what is left to do when the application is done.

use sessile_core::{FieldName, Receipt, Secret, SessionKey};

use super::accounting::Route;
use super::app::AppSessions;
use super::client_cipher::check_size;
use super::client_session::{ClientSession, key_of};
use super::commit_scope::CommitScope;
use super::cookie::Identity;
use super::cookie_age::CookieAge;
use super::draft::{Draft, DraftState, View};
use super::error::SessionError;
use super::idempotency::KeyClaim;
use sessile_node::host::{Busy, CommitPermit, Settlement};

/// The session of one request, from its opening to its commit.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) draft: Draft,
    /// The application looked into the session or wrote to it.
    pub(crate) used: bool,
    /// The request ended the session that it came with, or whose cookie it came with.
    pub(crate) ended: bool,
    /// The cookie that came is of a session that had ended before.
    pub(crate) came_dead: bool,
    /// The secret of a session that nodes hold is not the cookie's any more.
    pub(crate) renewed: bool,
    /// What is handed to the node waits for the store.
    pub(crate) saves_through: bool,
    /// What was already handed to the node, in that order.
    pub(crate) settlements: Vec<Settlement>,
    /// The head of the response is on its way, or the request was given up: nothing is written any more.
    pub(crate) over: bool,
    /// The request is over, and what it wrote is settled.
    pub(crate) done: bool,
    pub(crate) receipt: Option<Receipt>,
    /// The secret of a session that its cookie carries, before this request changed it.
    pub(crate) superseded: Option<Secret>,
    /// What its cookie is to carry from now on.
    pub(crate) client_session: Option<ClientSession>,
    /// Attributes that were changed in place in vain.
    pub(crate) dropped: Vec<FieldName>,
    /// Why nothing can be handed to the node.
    pub(crate) refusal: Option<SessionError>,
    /// The idempotency key that the request works on, until it is over.
    pub(crate) claim: Option<KeyClaim>,
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
    /// How long the browser keeps it; `None`: as configured.
    pub(crate) cookie_age: Option<CookieAge>,
    /// The session, if there is one now.
    pub(crate) key: Option<SessionKey>,
    pub(crate) used: bool,
    /// Something was written, beside what is sent again.
    pub(crate) wrote: bool,
    /// It was dropped: a login had superseded the secret that the request came with.
    pub(crate) superseded: bool,
    /// The request ended the session that it came with.
    pub(crate) ended_here: bool,
}

/// What the response tells the browser to do with the cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CookieChange {
    Keep,
    Set(Identity),
    /// The same secret for another time.
    Extend(Identity),
    /// It carries the session.
    SetClientSession(Box<ClientSession>),
    Remove,
}

impl State {
    /// From now on nothing is written any more; as much of the session as `commit_scope` says is to be handed
    /// to the node. Gives the session of which something is.
    pub(crate) fn freeze(&mut self, app: &AppSessions, commit_scope: CommitScope) -> Option<SessionKey> {
        self.over = true;
        match self.draft.freeze(commit_scope, &app.settings) {
            Ok(dropped) => self.dropped = dropped,
            Err(why) => {
                self.draft.forget_new();
                self.refusal = Some(why);
                return None;
            }
        }
        self.draft.changes().map(|(key, _)| key)
    }

    /// Hands to the node what was frozen.
    pub(crate) fn commit(
        &mut self,
        app: &AppSessions,
        commit_permit: Result<CommitPermit, Busy>,
        route: &Route,
    ) -> Closing {
        if self.refusal.is_none() {
            let handed = match app.settings.cookie_overhead {
                Some(beside) => self.commit_client_side(app, beside),
                None => commit_permit
                    .map_err(|Busy| SessionError::Busy)
                    .and_then(|commit_permit| self.hand_over(app, commit_permit, Some(route))),
            };
            self.refusal = handed.err();
            if self.refusal.is_some() {
                self.draft.forget_new();
            }
        }
        Closing {
            settlements: std::mem::take(&mut self.settlements),
            refusal: self.refusal.take(),
            dropped: std::mem::take(&mut self.dropped),
            wrote: self.draft.writes_any(),
            superseded: self.is_superseded() && self.draft.writes_any(),
            cookie: self.cookie_change(),
            cookie_age: self.draft.cookie_age(),
            key: self.draft.key(),
            used: self.used,
            ended_here: self.ended,
        }
    }

    /// As [`freeze`](Self::freeze) for a caller outside HTTP, who goes on writing. Gives the attributes that
    /// were changed in place in vain, and the session of which something is to be handed to the node.
    pub(crate) fn freeze_trusted(
        &mut self,
        app: &AppSessions,
        commit_scope: CommitScope,
    ) -> Result<(Vec<FieldName>, Option<SessionKey>), SessionError> {
        let dropped = self.draft.freeze(commit_scope, &app.settings)?;
        Ok((dropped, self.draft.changes().map(|(key, _)| key)))
    }

    /// As [`commit`](Self::commit) for a caller outside HTTP, who goes on from there. What is refused stays
    /// written here, unless the session ended.
    pub(crate) fn commit_trusted(
        &mut self,
        app: &AppSessions,
        commit_permit: CommitPermit,
    ) -> Result<Vec<Settlement>, SessionError> {
        let host = &app.host;
        let written = self.draft.changes().map(|(key, _)| key);
        if let Err(refusal) = self.hand_over(app, commit_permit, None) {
            if matches!(refusal, SessionError::Ended) {
                self.draft = Draft::over();
            }
            return Err(refusal);
        }
        if let Some(key) = written {
            let copy = host.copy(key);
            self.draft =
                copy.map_or_else(Draft::over, |copy| Draft::trusted(key, copy, host.local_values(key)));
        }
        Ok(std::mem::take(&mut self.settlements))
    }

    fn hand_over(
        &mut self,
        app: &AppSessions,
        commit_permit: CommitPermit,
        route: Option<&Route>,
    ) -> Result<(), SessionError> {
        if let Some((key, changes)) = self.draft.changes() {
            self.settlements.push(app.host.commit(key, changes, commit_permit)?);
            app.statistics.accounting.count(self.draft.in_commit(), route);
        }
        if let Some(key) = self.draft.key() {
            app.host.keep(key, self.draft.local.take_changes());
            if let Some(last) = self.settlements.last_mut().filter(|_| self.saves_through) {
                app.host.save_through(last, key);
            }
        }
        Ok(())
    }

    /// Gives the session to its cookie instead of the node, unless it ended meanwhile or is too large.
    fn commit_client_side(&mut self, app: &AppSessions, beside: usize) -> Result<(), SessionError> {
        let Some(client_session) = self.draft.to_client_session(app.host.wall_time()) else { return Ok(()) };
        let Identity { key, secret } = client_session.identity;
        let opened_by = key_of(self.superseded.unwrap_or(secret));
        if [key, opened_by].into_iter().any(|key| app.host.remembers_end(key)) {
            return Err(SessionError::Ended);
        }
        check_size(&client_session.fields, beside)?;
        if self.superseded.is_some() {
            self.settlements.push(app.end(opened_by, client_session.fields.max_inactive()));
        }
        self.client_session = Some(client_session);
        Ok(())
    }

    fn is_superseded(&self) -> bool {
        matches!(self.draft.state(), DraftState::View(View::Superseded))
    }

    fn cookie_change(&mut self) -> CookieChange {
        if let Some(client_session) = self.client_session.take() {
            return CookieChange::SetClientSession(Box::new(client_session));
        }
        match self.draft.state() {
            DraftState::New(identity) => CookieChange::Set(identity),
            DraftState::Held(identity) if self.renewed => CookieChange::Set(identity),
            DraftState::Held(identity) if self.draft.is_outdated() => CookieChange::Extend(identity),
            _ if self.ended => CookieChange::Remove,
            DraftState::Held(_)
            | DraftState::Absent
            | DraftState::Unknown(_)
            | DraftState::View(_)
            | DraftState::Trusted(_)
            | DraftState::Over => CookieChange::Keep,
        }
    }
}
