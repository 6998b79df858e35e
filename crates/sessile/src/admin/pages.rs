//! Pages about members, sessions and metrics.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::IntoResponse;
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE, LINK};
use serde::{Deserialize, Serialize};
use sessile_core::SessionKey;

use super::AdminPort;
use super::error::AdminPageError;
use crate::status::{MemberView, SessionView};

/// Default number of sessions in one response.
const PAGE: usize = 100;
/// Most sessions in one response.
const PAGE_LIMIT: usize = 1_000;
/// The content type of Prometheus' text format.
const METRICS: &str = "text/plain; version=0.0.4; charset=utf-8";
/// The content type of OpenMetrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// One element of `/members`.
#[derive(Serialize)]
pub(super) struct MemberEntry {
    name: String,
    incarnation: String,
    /// The incarnation under the name that existing scripts read.
    boot: String,
    address: String,
    state: &'static str,
    age_ms: u64,
    unconfirmed_bytes: u64,
    unconfirmed_ms: u64,
    #[serde(rename = "self")]
    is_self: bool,
}

/// One element of `/sessions`: the key, never the secret.
#[derive(Serialize)]
struct SessionEntry {
    key: String,
    app: String,
    attributes: usize,
    bytes: usize,
    idle_ms: u64,
    copies: u32,
}

/// The query of `/sessions`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    after: Option<String>,
    limit: Option<usize>,
}

pub(super) async fn metrics(
    State(port): State<AdminPort>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, AdminPageError> {
    let cluster = port.cluster()?;
    Ok(match wants_open_metrics(&headers) {
        true => ([(CONTENT_TYPE, OPEN_METRICS)], cluster.open_metrics()),
        false => ([(CONTENT_TYPE, METRICS)], cluster.metrics()),
    })
}

/// Whether the reader prefers OpenMetrics to everything else that it takes.
fn wants_open_metrics(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let weighed = accepted.flat_map(|value| value.split(',')).map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_open =
            parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/openmetrics-text"));
        let weight =
            parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f64>().ok());
        (is_open, weight.unwrap_or(0.0))
    });
    let (mut open, mut other) = (0.0, 0.0);
    for (is_open, weight) in weighed {
        let best = if is_open { &mut open } else { &mut other };
        *best = weight.max(*best);
    }
    open > 0.0 && open >= other
}

pub(super) async fn members(State(port): State<AdminPort>) -> Result<impl IntoResponse, AdminPageError> {
    Ok(Json(port.cluster()?.members().into_iter().map(MemberEntry::from).collect::<Vec<_>>()))
}

pub(super) async fn sessions(
    State(port): State<AdminPort>,
    page: Result<Query<PageQuery>, QueryRejection>,
) -> Result<impl IntoResponse, AdminPageError> {
    let Query(page) = page.map_err(|rejection| AdminPageError::BadQuery(rejection.body_text()))?;
    let (after, limit) = page.read()?;
    let sessions: Vec<SessionEntry> =
        port.cluster()?.sessions(after, limit).into_iter().map(SessionEntry::from).collect();
    let last = sessions.last().filter(|_| sessions.len() == limit);
    let next = last.map(|last| format!("</sessions?after={}&limit={limit}>; rel=\"next\"", last.key));
    Ok((next.map(|next| [(LINK, next)]), Json(sessions)))
}

impl PageQuery {
    fn read(&self) -> Result<(Option<SessionKey>, usize), AdminPageError> {
        let limit = self.limit.unwrap_or(PAGE);
        if !(1..=PAGE_LIMIT).contains(&limit) {
            return Err(AdminPageError::BadQuery(format!("limit={limit}: write 1 to {PAGE_LIMIT}")));
        }
        let wrong = |text: &str| AdminPageError::BadQuery(format!("after={text}: not a session key"));
        let key = |text: &String| SessionKey::parse(text).ok_or_else(|| wrong(text));
        Ok((self.after.as_ref().map(key).transpose()?, limit))
    }
}

impl From<MemberView> for MemberEntry {
    fn from(member: MemberView) -> Self {
        Self {
            name: member.name,
            incarnation: member.incarnation.to_string(),
            boot: member.incarnation.to_string(),
            address: member.address,
            state: member.state,
            age_ms: milliseconds(member.age),
            unconfirmed_bytes: member.unconfirmed_bytes,
            unconfirmed_ms: milliseconds(member.unconfirmed_for),
            is_self: member.is_self,
        }
    }
}

impl From<SessionView> for SessionEntry {
    fn from(session: SessionView) -> Self {
        Self {
            key: session.key.to_string(),
            app: session.app,
            attributes: session.attributes,
            bytes: session.bytes,
            idle_ms: milliseconds(session.idle),
            copies: session.copies,
        }
    }
}

pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(accept: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().expect("a header"));
        wants_open_metrics(&headers)
    }

    #[test]
    fn open_metrics_are_for_readers_that_prefer_them() {
        assert!(wants("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"));
        assert!(wants("application/openmetrics-text"));
        assert!(!wants("*/*") && !wants("text/plain") && !wants_open_metrics(&HeaderMap::new()));
        assert!(!wants("text/plain, application/openmetrics-text;q=0.2"));
        assert!(!wants("application/openmetrics-text;q=0"));
    }
}
