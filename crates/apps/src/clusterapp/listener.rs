//! The session listener: logs changes of the application's sessions, on this and other nodes.

use sessile::events::{EndReason, Listening, Notification, Scope, SessionChange};
use sessile::status::AppView;

/// Logs at level `debug`; `None` (and no work for the node) if the level is off.
pub(super) fn listen(sessions: &AppView) -> Option<Listening> {
    tracing::enabled!(tracing::Level::DEBUG).then(|| sessions.listen(Scope::EveryNode, log))
}

fn log(notification: &Notification) {
    let Notification { key, app, remote, .. } = notification;
    match &notification.change {
        SessionChange::Created => tracing::debug!(session = %key, app, remote, "session created"),
        SessionChange::Ended { reason: EndReason::Expired } => {
            tracing::debug!(session = %key, app, remote, "session expired");
        }
        SessionChange::Ended { reason: EndReason::Invalidated } => {
            tracing::debug!(session = %key, app, remote, "session invalidated");
        }
        SessionChange::AttributeAdded { name } => {
            tracing::debug!(session = %key, app, remote, attribute = %name, "session changed: attribute added");
        }
        SessionChange::AttributeReplaced { name } => {
            tracing::debug!(session = %key, app, remote, attribute = %name, "session changed: attribute replaced");
        }
        SessionChange::AttributeRemoved { name } => {
            tracing::debug!(session = %key, app, remote, attribute = %name, "session changed: attribute removed");
        }
        other => tracing::debug!(session = %key, app, remote, change = ?other, "session changed"),
    }
}
