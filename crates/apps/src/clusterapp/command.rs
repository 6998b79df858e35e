//! The commands: what a request does with the session of its cookie.

use std::sync::Arc;

use axum::extract::{Request, State};
use http::StatusCode;
use sessile::Session;

use super::Site;
use super::accept::prefers_page;
use super::answer::{Answer, Details, Facts};
use super::origin;
use super::parameters::Parameters;
use super::payload::{self, MAX_SIZE, MAX_VERSION};
use super::problem::Problem;

/// Most attributes that one `add` writes.
const MAX_COUNT: u64 = 10_000;

/// The page: the session of the cookie, as it is.
pub(super) async fn page(session: Session) -> Answer {
    tell_takeover(&session);
    Answer { sid: session.key(), facts: Facts::default(), details: Some(Details::of(&session)) }
}

/// Performs the command that the request names.
pub(super) async fn run(
    State(site): State<Arc<Site>>,
    session: Session,
    request: Request,
) -> Result<Answer, Problem> {
    origin::check(&request)?;
    let wants_page = prefers_page(request.headers());
    let parameters = Parameters::of_request(request).await?;
    tell_takeover(&session);
    let facts = match parameters.get("cmd").unwrap_or("show") {
        "add" => add(&session, &parameters)?,
        "mutate" => mutate(&session, &parameters)?,
        "remove" => remove(&session, &parameters)?,
        "invalidate" => invalidate(&session)?,
        "show" => show(&session, &parameters)?,
        other => return Err(unknown(other, site.diagnostics)),
    };
    let details = wants_page.then(|| Details::of(&session));
    Ok(Answer { sid: session.key(), facts, details })
}

/// Logs that the session came from another node, which its cookie still names: once for each session that moves.
fn tell_takeover(session: &Session) {
    if let (Some(from), Some(key)) = (session.previous_route(), session.key()) {
        tracing::info!(session = %key, from, "session taken over");
    }
}

fn add(session: &Session, parameters: &Parameters) -> Result<Facts, Problem> {
    let name = parameters.text("name")?;
    let size = size(parameters)?;
    let v = parameters.number("v", MAX_VERSION)?;
    let count = parameters.number_if_given("count", MAX_COUNT)?;
    if count == Some(0) {
        return Err(Problem::bad_request(format!(
            "parameter `count`: give 1 to {MAX_COUNT}, or leave it out"
        )));
    }
    let full = parameters.flag("full")?;
    let existed = session.key().is_some();
    match count {
        None => session.set_bytes(name, payload::payload(v, size))?,
        Some(count) => {
            for number in 0..count {
                session.set_bytes(&format!("{name}{number}"), payload::payload(v, size))?;
            }
        }
    }
    if full {
        session.send_whole()?;
    }
    Ok(Facts { new: Some(!existed), v: Some(v), ..Facts::default() })
}

fn size(parameters: &Parameters) -> Result<usize, Problem> {
    let size = parameters.number("size", u64::MAX)?;
    usize::try_from(size).ok().filter(|size| *size <= MAX_SIZE).ok_or_else(|| {
        let message =
            format!("parameter `size`: {size} bytes are too many; one value has at most {MAX_SIZE}");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    })
}

/// The attribute gets another version and its content, at its old size, without being set: the article's `map.put`.
fn mutate(session: &Session, parameters: &Parameters) -> Result<Facts, Problem> {
    let name = parameters.text("name")?;
    let v = parameters.number("v", MAX_VERSION)?;
    let Some(mut value) = session.get_bytes_mut(name)? else {
        let message =
            format!("parameter `name`: the session has no attribute `{name}` that could be changed");
        return Err(Problem::bad_request(message));
    };
    *value = payload::payload(v, value.len());
    tracing::debug!(session = ?session.key(), attribute = name, v, "attribute changed in place");
    Ok(Facts { v: Some(v), ..Facts::default() })
}

fn remove(session: &Session, parameters: &Parameters) -> Result<Facts, Problem> {
    let name = parameters.text("name")?;
    session.remove(name)?;
    Ok(Facts::default())
}

fn invalidate(session: &Session) -> Result<Facts, Problem> {
    session.invalidate()?;
    Ok(Facts::default())
}

fn show(session: &Session, parameters: &Parameters) -> Result<Facts, Problem> {
    let sum = parameters.flag("sum")?;
    Ok(match parameters.get("name") {
        Some(name) => Facts::of_value(session.get_bytes(name).as_deref(), sum),
        None if session.key().is_none() => Facts::not_found(),
        None => Facts::of_session(session, sum),
    })
}

fn unknown(command: &str, diagnostics: bool) -> Problem {
    let peek = if diagnostics { ", peek (in the query string)" } else { "" };
    Problem::bad_request(format!(
        "parameter `cmd`: `{command}` is no command; use add, mutate, remove, invalidate, show{peek}"
    ))
}
