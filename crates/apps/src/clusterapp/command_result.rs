//! The result of a command, before it is rendered as JSON or as a page.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderValue, StatusCode};
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use sessile::{Session, SessionKey};

use super::ClusterappState;
use super::outcome::Outcome;
use super::payload;

/// The result of one request; `render` completes its response when the commit is settled.
#[derive(Clone, Debug)]
pub(super) struct CommandResult {
    pub(super) sid: Option<SessionKey>,
    pub(super) facts: ResultFields,
    pub(super) presentation: Presentation,
}

/// How the client gets the result.
#[derive(Clone, Debug)]
pub(super) enum Presentation {
    Json,
    /// A page with the whole session.
    Page(SessionDetails),
    /// A redirect to that page, after a change.
    Redirect(Outcome),
}

/// The JSON object of a result.
#[derive(Serialize)]
struct Object<'a> {
    node: &'a str,
    sid: Option<String>,
    #[serde(flatten)]
    facts: &'a ResultFields,
}

/// The fields of the JSON object that depend on the command.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct ResultFields {
    /// The request created the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) new: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) found: Option<bool>,
    /// The written version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) v: Option<u64>,
    /// The attribute read.
    #[serde(flatten)]
    pub(super) reading: Option<AttributeSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) attrs: Option<BTreeMap<String, ListedAttribute>>,
}

/// Summary of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct AttributeSummary {
    pub(super) v: Option<u64>,
    pub(super) len: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fnv: Option<u32>,
}

/// An attribute in a list: `[v,len]`, or `[v,len,fnv]` with a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ListedAttribute(pub(super) AttributeSummary);

/// A session as shown on its page.
#[derive(Clone, Debug)]
pub(super) struct SessionDetails {
    pub(super) max_inactive: Duration,
    /// The node in the cookie's route, if the session moved.
    pub(super) moved_from: Option<String>,
    pub(super) attributes: BTreeMap<String, AttributeSummary>,
}

impl ResultFields {
    pub(super) fn not_found() -> Self {
        Self { found: Some(false), ..Self::default() }
    }

    /// The fields for one attribute.
    pub(super) fn of_value(value: Option<&[u8]>, sum: bool) -> Self {
        match value {
            None => Self::not_found(),
            Some(value) => {
                Self { found: Some(true), reading: Some(AttributeSummary::of(value, sum)), ..Self::default() }
            }
        }
    }

    /// The fields for all attributes of a session.
    pub(super) fn of_session(session: &Session, sum: bool) -> Self {
        let listed =
            readings(session, sum).into_iter().map(|(name, reading)| (name, ListedAttribute(reading)));
        Self { attrs: Some(listed.collect()), ..Self::default() }
    }
}

impl AttributeSummary {
    fn of(value: &[u8], sum: bool) -> Self {
        Self { v: payload::version(value), len: value.len(), fnv: sum.then(|| payload::fnv(value)) }
    }
}

impl SessionDetails {
    /// The session after this request.
    pub(super) fn of(session: &Session) -> Self {
        Self {
            max_inactive: session.max_inactive(),
            moved_from: session.previous_route().map(str::to_owned),
            attributes: readings(session, false),
        }
    }
}

fn readings(session: &Session, sum: bool) -> BTreeMap<String, AttributeSummary> {
    let read = |name: String| {
        let value = session.get_bytes(&name)?;
        Some((name, AttributeSummary::of(&value, sum)))
    };
    session.names().into_iter().filter_map(read).collect()
}

impl Serialize for ListedAttribute {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(AttributeSummary { v, len, fnv }) = self;
        let mut parts = serializer.serialize_seq(None)?;
        parts.serialize_element(v)?;
        parts.serialize_element(len)?;
        if let Some(fnv) = fnv {
            parts.serialize_element(fnv)?;
        }
        parts.end()
    }
}

impl CommandResult {
    /// The response, without what is known only after the commit. An idempotency key notes it so.
    pub(super) fn response(self, site: &ClusterappState) -> Response {
        let mut response = match &self.presentation {
            Presentation::Json => self.json(site),
            Presentation::Page(_) => Response::default(),
            Presentation::Redirect(outcome) => redirect(&outcome.location(&site.base_path)),
        };
        response.extensions_mut().insert(self);
        response
    }

    /// The result for programs.
    pub(super) fn json(&self, site: &ClusterappState) -> Response {
        let sid = self.sid.map(|key| key.to_string());
        json(&Object { node: site.cluster.name(), sid, facts: &self.facts })
    }
}

/// A JSON object as a response.
pub(super) fn json(object: &impl Serialize) -> Response {
    let text = serde_json::to_vec(object).expect("names, numbers and texts are JSON");
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}

/// `303 See Other`: the browser loads the page by GET.
pub(super) fn redirect(location: &str) -> Response {
    let location = HeaderValue::from_str(location).expect("a path and an encoded query are visible ASCII");
    (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response()
}
