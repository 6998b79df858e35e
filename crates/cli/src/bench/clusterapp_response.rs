//! The JSON body of a clusterapp response.

use std::collections::BTreeMap;

use http::StatusCode;
use serde::Deserialize;

use super::verdict::Reading;
use crate::connection::ClientResponse;

/// The fields of a response; a field that a command does not return is absent.
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

/// One attribute of a list: `[v,len]`, or `[v,len,fnv]` with a checksum.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(untagged)]
enum ListedReading {
    WithSum(Option<u64>, usize, u32),
    Plain(Option<u64>, usize),
}

impl ClusterappResponse {
    /// Parses a response; the error quotes the unexpected body.
    pub(crate) fn of(answer: &ClientResponse) -> Result<Self, String> {
        if answer.status != StatusCode::OK {
            return Err(answer.words());
        }
        serde_json::from_slice(&answer.body)
            .map_err(|error| format!("the response is not clusterapp's JSON ({error}): {}", answer.words()))
    }

    /// The requested attribute.
    pub(crate) fn reading(&self) -> Option<Reading> {
        let len = self.len.filter(|_| self.found == Some(true))?;
        Some(Reading { v: self.v, len, fnv: self.fnv })
    }

    /// One attribute of a response that lists all attributes.
    pub(crate) fn listed(&self, name: &str) -> Option<Reading> {
        Some(match *self.attrs.get(name)? {
            ListedReading::WithSum(v, len, fnv) => Reading { v, len, fnv: Some(fnv) },
            ListedReading::Plain(v, len) => Reading { v, len, fnv: None },
        })
    }
}
