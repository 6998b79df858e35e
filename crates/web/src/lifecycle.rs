//! Logins and how long browsers keep them, the end of a session, and which node it belongs to.

use std::time::Duration;

use sessile_core::{Changes, Fields, Secret};

use super::cookie::Identity;
use super::cookie_age::{CookieAge, MAX_AGE};
use super::draft::{Draft, DraftState, View};
use super::error::SessionError;
use super::session::{Session, random};
use sessile_node::host::CommitPermit;

impl Session {
    /// Gives the session a new secret, and so the browser a new cookie, as every login should: a cookie
    /// that was known before opens nothing afterwards. Key and attributes stay. A session that this request
    /// made needs no change.
    ///
    /// A request that comes later with the cookie from before gets, for `[session] change_grace`, a view of
    /// the attributes from strictly before the change, without who is logged in; what it writes is dropped.
    /// If such a request calls this itself (a second click on *Login*), it gets a session of its own with
    /// that view's attributes and its writes.
    ///
    /// It takes effect at once, on all members before the response goes, and is not undone by anything: not
    /// by a panic, a 5xx or a client that hung up. Requests that are already running still commit. (Where the
    /// cookie carries the session, it takes effect with the response, and what running requests write is
    /// dropped.)
    pub fn change_id(&self) -> Result<(), SessionError> {
        let mut state = self.writable()?;
        if let DraftState::Trusted(_) | DraftState::Over = state.draft.state() {
            return Err(SessionError::NoCookie);
        }
        let secret = Secret(random());
        if let DraftState::View(View::Superseded) = state.draft.state() {
            let identity = self.new_identity()?;
            state.draft.make_of_view(identity, self.app().creation(identity.secret));
        }
        let DraftState::Held(identity) = state.draft.state() else { return Ok(()) };
        if self.is_client_side() {
            state.superseded.get_or_insert(identity.secret);
        } else {
            let mut changes = Changes::new();
            changes.change_secret(identity.secret, secret);
            let settlement = self.app().host.commit(identity.key, &changes, CommitPermit::default())?;
            state.settlements.push(settlement);
            state.renewed = true;
        }
        state.draft.renew(secret);
        Ok(())
    }

    /// Lets browsers keep this session's cookie for `age`, in whole seconds and for 400 days at most, or with
    /// `None` until they are closed, whatever `[session] max_age` says: "remember me". Makes a session when
    /// there is none.
    ///
    /// The answer to this request sets the cookie, and so does every later one that has a reason to set it,
    /// on every node; the age counts from the last of them. It is the browser's time. The node ends the
    /// session after its idle time, so a login that shall last gives both, and a new id as always:
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use sessile_web::{Session, SessionError};
    /// fn log_in(session: &Session, user: &str, remember_me: bool) -> Result<(), SessionError> {
    ///     session.change_id()?;
    ///     session.set_principal(Some(user), Some("form"))?;
    ///     if remember_me {
    ///         let month = Duration::from_secs(30 * 86_400);
    ///         session.set_cookie_max_age(Some(month))?;
    ///         session.set_max_inactive(month)?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// As of every write: on a read-only path, after the answer, or when there is no room for one more
    /// session.
    pub fn set_cookie_max_age(&self, age: Option<Duration>) -> Result<(), SessionError> {
        let age = age.filter(|age| age.as_secs() > 0).map(|age| CookieAge::Kept(age.min(MAX_AGE)));
        self.with_session(|draft| draft.set_cookie_age(age.unwrap_or(CookieAge::UntilClosed)))
    }

    /// How long browsers keep this session's cookie; `None`: until they are closed.
    pub fn cookie_max_age(&self) -> Option<Duration> {
        match self.used().draft.cookie_age() {
            None => self.app().settings.session.max_age,
            Some(CookieAge::UntilClosed) => None,
            Some(CookieAge::Kept(age)) => Some(age),
        }
    }

    /// Ends the session everywhere, for good. Says whether there was one; what is written afterwards makes
    /// a new one.
    ///
    /// It takes effect at once, on all members before the response goes, and is not undone by anything: not
    /// by a panic, a 5xx or a client that hung up.
    pub fn invalidate(&self) -> Result<bool, SessionError> {
        // Outlives the lock: what the request kept in it may do anything when it goes.
        let draft;
        let mut state = self.writable()?;
        draft = std::mem::take(&mut state.draft);
        let draft_state = draft.state();
        match draft_state {
            DraftState::Trusted(_) | DraftState::Over => state.draft = Draft::over(),
            // It ends nothing of what it only saw.
            DraftState::View(view) => state.draft = Draft::view(view, Fields::default()),
            DraftState::Absent => state.ended |= state.came_dead,
            DraftState::Unknown(_) | DraftState::New(_) | DraftState::Held(_) => {}
        }
        if let DraftState::Held(Identity { key, .. }) | DraftState::Unknown(key) | DraftState::Trusted(key) =
            draft_state
        {
            state.settlements.push(self.app().end(key, draft.max_inactive()));
            state.ended = true;
        }
        Ok(matches!(draft_state, DraftState::Held(_) | DraftState::New(_) | DraftState::Trusted(_)))
    }

    /// Whether this node is the one that the session belongs to: it made the session, in this request or
    /// before, or was the last to take it over. (Tomcat: `primaryIndicator`.)
    ///
    /// False in the first request after the session moved here, for which
    /// [`previous_route`](Self::previous_route) tells the node that it came from; the answer to that request
    /// gives the browser a cookie that names this node, and from then on it is true here. A path that the
    /// replication filter matches changes no cookie, and so no owner. False, too, where there is no session.
    /// A browser that sends requests in parallel may reach two nodes that both are told true: it tells who
    /// should do what one node is enough for, and excludes nobody. Where the cookie carries the session, no
    /// node has it more than another: true on every one.
    pub fn is_owner(&self) -> bool {
        match self.used().draft.state() {
            DraftState::New(_) => true,
            DraftState::Held(_) => self.previous_route.is_none(),
            DraftState::Absent
            | DraftState::Unknown(_)
            | DraftState::View(_)
            | DraftState::Trusted(_)
            | DraftState::Over => false,
        }
    }

    /// The node that the cookie came from, when that is another one than this: the session moved here.
    pub fn previous_route(&self) -> Option<&str> {
        self.previous_route.as_deref()
    }
}
