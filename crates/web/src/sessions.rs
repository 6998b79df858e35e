//! The sessions of one request that runs through the layers of several applications.

use super::session::Session;

/// Every session of a request, of the outermost application first: of a portal at `/`, say, and of the shop
/// in it at `/shop`. Found in the request's extensions, or taken as an argument of an axum handler.
///
/// [`Session`] is the one of the innermost layer. Each is committed for itself, when the response passes its
/// application's layer on the way out; the response goes when all are settled, and carries the cookie of
/// each.
///
/// ```
/// # use sessile_web::{SessionError, Sessions};
/// async fn checkout(sessions: Sessions) -> Result<String, SessionError> {
///     let shop = sessions.of("/shop").expect("this handler is behind the shop's layer");
///     let cart: Vec<String> = shop.get("cart")?.unwrap_or_default();
///     if let Some(portal) = sessions.of("/") {
///         portal.set("orders", &cart.len())?;
///     }
///     Ok(format!("{} things ordered\n", cart.len()))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Sessions {
    innermost_last: Vec<Session>,
}

impl Sessions {
    /// Those that came in with the request, and one more, which is inside of them.
    pub(crate) fn within(outer: Option<Self>, session: Session) -> Self {
        let mut sessions = outer.map(|outer| outer.innermost_last).unwrap_or_default();
        sessions.push(session);
        Self { innermost_last: sessions }
    }

    /// The session of the application at that context path; `None` when its layer is not around this handler.
    pub fn of(&self, app_path: &str) -> Option<&Session> {
        self.innermost_last.iter().rev().find(|session| session.app_path() == app_path)
    }

    /// All of them, of the outermost application first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Session> {
        self.innermost_last.iter()
    }
}
