//! A session in the hands of a caller outside HTTP.

use std::ops::Deref;
use std::sync::Arc;

use sessile_core::{Receipt, SessionKey};

use super::app::AppSessions;
use super::detached_sessions::{DetachedSessions, used};
use super::draft::Draft;
use super::error::SessionError;
use super::session::Session;
use sessile_node::host::Settlement;

/// A session that was opened by its key instead of a cookie; see `Cluster::session` and
/// [`DetachedSessions`].
///
/// It reads and writes as a [`Session`] does, whose methods it has: reads see the session as it was opened,
/// plus what was written here. What was written is sent by [`commit`](Self::commit), in one piece, as often
/// as wanted; what was not committed is dropped with it. [`refresh`](Self::refresh) shows what others wrote.
/// There is no cookie, so [`change_id`](Session::change_id) is an error.
///
/// Holding it does **not** keep the session in use: idle time begins anew with opening,
/// [`refresh`](Self::refresh) and every commit that writes. A websocket that is open for hours does not make
/// a session immortal whose user has gone; one that calls `refresh` for each message of its user counts as
/// much as his clicks. A job that is busy for longer than the idle time calls it, too.
///
/// When the session has ended, whoever ended it, commits and writes are the error
/// [`Ended`](SessionError::Ended).
pub struct DetachedSession {
    app: Arc<AppSessions>,
    key: SessionKey,
    session: Session,
}

impl DetachedSession {
    pub(crate) fn new(app: &Arc<AppSessions>, key: SessionKey, draft: Draft) -> Self {
        Self { app: Arc::clone(app), key, session: Session::detached(Arc::clone(app), draft) }
    }

    /// What names the session.
    pub fn key(&self) -> SessionKey {
        self.key
    }

    /// Sends what was written since the last commit, and waits until every member has it, as a response does.
    /// The receipt says how many that are; without a write there is none, and it is only made sure that what
    /// was read may be told: that others cannot have moved on without this node.
    ///
    /// A commit that began runs to its end though the future is dropped.
    ///
    /// # Errors
    /// [`Ended`](SessionError::Ended), and nothing was written. [`NotServing`](SessionError::NotServing) and
    /// what exceeds a bound: nothing was sent, it is still written here and can be committed later.
    /// [`OutcomeUnknown`](SessionError::OutcomeUnknown).
    pub async fn commit(&self) -> Result<Option<Receipt>, SessionError> {
        let host = &self.app.host;
        let _running = host.request();
        self.be_there().await?;
        let receipt = self.settle(self.session.commit_trusted().await?).await?;
        host.admitted().await.map_err(|_| SessionError::OutcomeUnknown)?;
        Ok(receipt)
    }

    /// Reads anew what others wrote; what was written here and is not committed stays on top of it. This is a
    /// use.
    ///
    /// # Errors
    /// [`Ended`](SessionError::Ended) and [`NotServing`](SessionError::NotServing).
    pub async fn refresh(&self) -> Result<(), SessionError> {
        let _running = self.app.host.request();
        self.be_there().await?;
        if !self.session.is_new() {
            let fields = self.known(used(&self.app, self.key).await)?;
            self.app.host.settled(self.key).await;
            self.session.reopen(fields);
        }
        Ok(())
    }

    /// Ends the session everywhere, for good, and waits until every member knows.
    ///
    /// # Errors
    /// As [`DetachedSessions::end`].
    pub async fn invalidate(&self) -> Result<Receipt, SessionError> {
        let ended = DetachedSessions::new(Arc::clone(&self.app)).end(self.key).await?;
        self.session.forget_ended();
        Ok(ended)
    }

    /// Passes the gate, and makes sure that the session has not ended. This node may have lost its copy and
    /// be without it until it asks.
    async fn be_there(&self) -> Result<(), SessionError> {
        let host = &self.app.host;
        host.admitted().await?;
        if self.session.key().is_none() {
            return Err(SessionError::Ended);
        }
        if !self.session.is_new() && host.copy(self.key).is_none() {
            self.known(used(&self.app, self.key).await)?;
        }
        Ok(())
    }

    async fn settle(&self, handed: Vec<Settlement>) -> Result<Option<Receipt>, SessionError> {
        let mut receipt = None;
        for settlement in handed {
            let settled = settlement.receipt().await.ok_or(SessionError::OutcomeUnknown)?;
            if settled.ended {
                return self.known(Err(SessionError::Ended));
            }
            receipt = Some(settled);
        }
        if receipt.is_none() {
            self.app.host.settled(self.key).await;
        }
        Ok(receipt)
    }

    /// A session that was there and is not any more has ended, however long ago.
    fn known<T>(&self, found: Result<T, SessionError>) -> Result<T, SessionError> {
        match found {
            Err(SessionError::Ended | SessionError::Unknown) => {
                self.session.forget_ended();
                Err(SessionError::Ended)
            }
            other => other,
        }
    }
}

impl Deref for DetachedSession {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl std::fmt::Debug for DetachedSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DetachedSession").field("key", &self.key).finish_non_exhaustive()
    }
}
