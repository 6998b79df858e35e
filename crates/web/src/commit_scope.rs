//! How much of a session travels when a request is over, and how far before its response goes: what a manager
//! means to the session layer, and what a request can ask for.

use super::error::SessionError;
use super::session::Session;
use sessile_config::{Manager, Replication};

/// What is handed to the node at the end of a request that opened a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommitScope {
    /// The fields that were written. Where nobody is to have copies, that is nobody.
    Written,
    /// The whole session, if the request set something.
    WholeIfSet,
    /// The whole session, and with it what was changed in place.
    Whole,
}

impl CommitScope {
    pub(crate) fn of(manager: Manager, replication: &Replication) -> Self {
        match manager {
            Manager::Delta | Manager::Local => Self::Written,
            Manager::Full if replication.dirty_flag => Self::WholeIfSet,
            Manager::Full => Self::Whole,
        }
    }
}

impl Session {
    /// The other members get the whole session with what this request writes, each attribute with the
    /// timestamp it has, instead of the changes alone; also when this request writes nothing. Costs what the
    /// session weighs. Manager `full` does it by itself.
    pub fn send_whole(&self) -> Result<(), SessionError> {
        self.writable()?.draft.send_whole();
        Ok(())
    }

    /// The response goes only when the store, too, has what this request writes, as with `save = "through"`
    /// for the whole application; so a kill of all nodes in the next moment does not lose it. It waits for
    /// `[store] timeout` at most, and `Receipt::stored` says whether the store had it then; where nothing is
    /// stored, that it had not. Does nothing where the request writes nothing, or the cookie carries the
    /// session.
    ///
    /// For a route, call it in a layer between the session layer and the route's handlers.
    ///
    /// ```
    /// # use axum::{Router, extract::Request, middleware::{self, Next}, response::Response, routing::post};
    /// # use sessile_web::{Session, SessionError};
    /// async fn save_through(session: Session, request: Request, next: Next) -> Result<Response, SessionError> {
    ///     session.save_through()?;
    ///     Ok(next.run(request).await)
    /// }
    ///
    /// # async fn pay() {}
    /// let paying: Router = Router::new().route("/pay", post(pay)).route_layer(middleware::from_fn(save_through));
    /// ```
    ///
    /// # Errors
    /// What refuses any write.
    pub fn save_through(&self) -> Result<(), SessionError> {
        self.writable()?.saves_through = true;
        Ok(())
    }
}
