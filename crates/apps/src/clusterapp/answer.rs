//! What is answered, before it is known whether as JSON or as a page.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use sessile::{Session, SessionKey};

use super::payload;

/// The facts of one request; `render` turns them into bytes when the commit is settled.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) sid: Option<SessionKey>,
    pub(super) facts: Facts,
    /// The whole session, where a page is wanted.
    pub(super) details: Option<Details>,
}

/// The members of the JSON object that depend on the command.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Facts {
    /// The request made the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) new: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) found: Option<bool>,
    /// The version that was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) v: Option<u64>,
    /// What was read.
    #[serde(flatten)]
    pub(super) reading: Option<Reading>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) attrs: Option<BTreeMap<String, Listed>>,
}

/// What a value says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Reading {
    pub(super) v: Option<u64>,
    pub(super) len: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fnv: Option<u32>,
}

/// A reading in a list: `[v,len]`, with a sum `[v,len,fnv]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listed(pub(super) Reading);

/// A session as its page shows it.
#[derive(Clone, Debug)]
pub(super) struct Details {
    /// Made by this request.
    pub(super) is_new: bool,
    pub(super) max_inactive: Duration,
    /// The node that the cookie came from, when the session moved.
    pub(super) moved_from: Option<String>,
    pub(super) attributes: BTreeMap<String, Reading>,
}

impl Facts {
    pub(super) fn not_found() -> Self {
        Self { found: Some(false), ..Self::default() }
    }

    /// The facts about one attribute.
    pub(super) fn of_value(value: Option<&[u8]>, sum: bool) -> Self {
        match value {
            None => Self::not_found(),
            Some(value) => {
                Self { found: Some(true), reading: Some(Reading::of(value, sum)), ..Self::default() }
            }
        }
    }

    /// The facts about all attributes of a session.
    pub(super) fn of_session(session: &Session, sum: bool) -> Self {
        let listed = readings(session, sum).into_iter().map(|(name, reading)| (name, Listed(reading)));
        Self { attrs: Some(listed.collect()), ..Self::default() }
    }
}

impl Reading {
    fn of(value: &[u8], sum: bool) -> Self {
        Self { v: payload::version(value), len: value.len(), fnv: sum.then(|| payload::fnv(value)) }
    }
}

impl Details {
    /// The session as this request leaves it.
    pub(super) fn of(session: &Session) -> Self {
        Self {
            is_new: session.is_new(),
            max_inactive: session.max_inactive(),
            moved_from: session.previous_route().map(str::to_owned),
            attributes: readings(session, false),
        }
    }
}

fn readings(session: &Session, sum: bool) -> BTreeMap<String, Reading> {
    let read = |name: String| {
        let value = session.get_bytes(&name)?;
        Some((name, Reading::of(&value, sum)))
    };
    session.names().into_iter().filter_map(read).collect()
}

impl Serialize for Listed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(Reading { v, len, fnv }) = self;
        let mut parts = serializer.serialize_seq(None)?;
        parts.serialize_element(v)?;
        parts.serialize_element(len)?;
        if let Some(fnv) = fnv {
            parts.serialize_element(fnv)?;
        }
        parts.end()
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::default();
        response.extensions_mut().insert(self);
        response
    }
}
