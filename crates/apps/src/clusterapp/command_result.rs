//! The result of a command, before it is rendered as JSON or as a page.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use sessile::{Session, SessionKey};

use super::payload;

/// The result of one request; `render` formats it when the commit is settled.
#[derive(Clone, Debug)]
pub(super) struct CommandResult {
    pub(super) sid: Option<SessionKey>,
    pub(super) facts: ResultFields,
    /// The whole session, if a page is wanted.
    pub(super) details: Option<SessionDetails>,
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
    /// Created by this request.
    pub(super) is_new: bool,
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
            is_new: session.is_new(),
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

impl IntoResponse for CommandResult {
    fn into_response(self) -> Response {
        let mut response = Response::default();
        response.extensions_mut().insert(self);
        response
    }
}
