//! `GET /events`: what happens, as server-sent events, while the reader stays.
//!
//! A reader that is too slow is told how many events it missed; readers beyond the bound are refused.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::IntoResponse;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use futures_util::stream::{self, Stream};
use serde::Deserialize;
use serde_json::{Value, json};
use sessile_core::{EndReason, Event};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::AdminPort;
use super::error::AdminPageError;
use super::pages::milliseconds;

/// Most readers at once.
pub(super) const READERS_MAX: usize = 16;
/// A comment is sent after this silence, so that proxies keep the connection.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// The query of `/events`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsQuery {
    /// Events of single sessions too.
    #[serde(default)]
    sessions: bool,
}

/// One reader.
struct Reader {
    events: Receiver<Event>,
    sessions: bool,
    _place: OwnedSemaphorePermit,
}

pub(super) async fn events(
    State(port): State<AdminPort>,
    query: Result<Query<EventsQuery>, QueryRejection>,
) -> Result<impl IntoResponse, AdminPageError> {
    let Query(query) = query.map_err(|rejection| AdminPageError::BadQuery(rejection.body_text()))?;
    let events = port.cluster()?.events();
    let place =
        port.shared.readers.clone().try_acquire_owned().map_err(|_| AdminPageError::TooManyReaders)?;
    let reader = Reader { events, sessions: query.sessions, _place: place };
    Ok(Sse::new(reader.stream()).keep_alive(KeepAlive::new().interval(SILENCE_MAX)))
}

impl Reader {
    fn stream(self) -> impl Stream<Item = Result<Sent, Infallible>> {
        stream::unfold(self, |mut reader| async {
            let (name, data) = reader.next().await?;
            Some((Ok(Sent::default().event(name).data(data.to_string())), reader))
        })
    }

    /// The next event of interest; `None` when there will be no more.
    async fn next(&mut self) -> Option<(&'static str, Value)> {
        loop {
            match self.events.recv().await {
                Ok(event) => {
                    if let Some(shown) = shown(&event, self.sessions) {
                        return Some(shown);
                    }
                }
                Err(RecvError::Lagged(count)) => return Some(("events-missed", json!({ "count": count }))),
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

/// Name and fields of an event; `None` for one of a single session, unless these are asked for.
fn shown(event: &Event, sessions: bool) -> Option<(&'static str, Value)> {
    Some(match event {
        Event::MemberAdded { incarnation, name } => ("member-added", member(name, incarnation)),
        Event::MemberSuspected { incarnation, name } => ("member-suspected", member(name, incarnation)),
        Event::MemberRemoved { incarnation, name, cause } => (
            "member-removed",
            json!({ "name": name, "incarnation": incarnation.to_string(), "cause": cause.to_string() }),
        ),
        Event::StateRequested { from } => ("state-requested", json!({ "from": from.to_string() })),
        Event::StateReceived { sessions, elapsed } => {
            ("state-received", json!({ "sessions": sessions, "elapsed_ms": milliseconds(*elapsed) }))
        }
        Event::TransferInterrupted { donor } => {
            ("transfer-interrupted", json!({ "donor": donor.to_string() }))
        }
        Event::Founded => ("cluster-founded", json!({})),
        Event::BecameReady { complete } => ("ready", json!({ "complete": complete })),
        Event::SteppedOut { by } => ("stepped-out", json!({ "by": by.to_string() })),
        Event::AckLate { by, after } => {
            ("ack-late", json!({ "by": by.to_string(), "after_ms": milliseconds(*after) }))
        }
        Event::Unreachable { incarnations } => {
            let listed: Vec<_> = incarnations.iter().map(ToString::to_string).collect();
            ("members-unreachable", json!({ "incarnations": listed }))
        }
        of_session if sessions => return shown_session(of_session),
        _ => return None,
    })
}

fn member(name: &str, incarnation: &impl ToString) -> Value {
    json!({ "name": name, "incarnation": incarnation.to_string() })
}

fn shown_session(event: &Event) -> Option<(&'static str, Value)> {
    Some(match event {
        Event::Created { key, remote, .. } => {
            ("session-created", json!({ "key": key.to_string(), "remote": remote }))
        }
        Event::Ended { key, reason, remote, .. } => {
            let reason = match reason {
                EndReason::Invalidated => "invalidated",
                EndReason::Expired => "expired",
            };
            ("session-ended", json!({ "key": key.to_string(), "reason": reason, "remote": remote }))
        }
        Event::Replicated { key, from } => {
            ("session-replicated", json!({ "key": key.to_string(), "from": from.to_string() }))
        }
        Event::Revived { key, .. } => ("session-revived", json!({ "key": key.to_string() })),
        Event::NotTaken { key, by, cause } => {
            let key = key.map(|key| key.to_string());
            ("change-not-taken", json!({ "key": key, "by": by.to_string(), "cause": cause.name() }))
        }
        _ => return None,
    })
}
