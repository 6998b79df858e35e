//! What clusterapp's contract says about an answer, read from its JSON.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::Deserialize;

use super::verdict::Reading;
use crate::connection::ClientResponse;

/// The members of an answer; those that a command does not have are absent.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct ClusterappResponse {
    pub(crate) node: String,
    pub(crate) sid: Option<String>,
    #[serde(default)]
    pub(crate) new: bool,
    pub(crate) found: Option<bool>,
    pub(crate) v: Option<u64>,
    len: Option<usize>,
    fnv: Option<u32>,
    #[serde(default)]
    attrs: BTreeMap<String, ListedReading>,
}

/// A reading in a list: `[v,len]`, with a sum `[v,len,fnv]`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(untagged)]
enum ListedReading {
    WithSum(Option<u64>, usize, u32),
    Plain(Option<u64>, usize),
}

impl ClusterappResponse {
    /// Reads an answer; the error says what it is instead.
    pub(crate) fn of(answer: &ClientResponse) -> Result<Self, String> {
        if answer.status != StatusCode::OK {
            return Err(answer.words());
        }
        serde_json::from_slice(&answer.body).map_err(|error| {
            format!("an answer that the contract does not know ({error}): {}", answer.words())
        })
    }

    /// The attribute that was asked for.
    pub(crate) fn reading(&self) -> Option<Reading> {
        let len = self.len.filter(|_| self.found == Some(true))?;
        Some(Reading { v: self.v, len, fnv: self.fnv })
    }

    /// One of all attributes, when all were asked for.
    pub(crate) fn listed(&self, name: &str) -> Option<Reading> {
        Some(match *self.attrs.get(name)? {
            ListedReading::WithSum(v, len, fnv) => Reading { v, len, fnv: Some(fnv) },
            ListedReading::Plain(v, len) => Reading { v, len, fnv: None },
        })
    }
}
