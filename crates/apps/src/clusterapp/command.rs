//! The commands on the session of a request.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use http::{Method, StatusCode};
use sessile::Session;

use super::ClusterappState;
use super::accept::prefers_page;
use super::command_result::{CommandResult, Presentation, ResultFields, SessionDetails};
use super::error::ClusterappError;
use super::outcome::Outcome;
use super::parameters::Parameters;
use super::payload::{self, MAX_SIZE, MAX_VERSION};

/// Most attributes that one `add` writes.
const MAX_COUNT: u64 = 10_000;

/// The page with the unchanged session.
pub(super) async fn page(State(site): State<Arc<ClusterappState>>, session: Session) -> Response {
    tell_takeover(&session);
    let presentation = Presentation::Page(SessionDetails::of(&session));
    CommandResult { sid: session.key(), facts: ResultFields::default(), presentation }.response(&site)
}

/// Performs the command of the request.
pub(super) async fn run(
    State(site): State<Arc<ClusterappState>>,
    session: Session,
    request: Request,
) -> Result<Response, ClusterappError> {
    if !site.sessions.is_same_origin(&request) && changes(&request) {
        let message =
            "the request comes from a page of another site: use the forms of this application's own page";
        return Err(ClusterappError::new(StatusCode::FORBIDDEN, message));
    }
    let wants_page = prefers_page(request.headers());
    let parameters = Parameters::of_request(request).await?;
    tell_takeover(&session);
    let command = parameters.get("cmd").unwrap_or("show");
    let value = if wants_page { legible } else { exact };
    let facts = match command {
        "add" => add(&session, &parameters, value)?,
        "mutate" => mutate(&session, &parameters, value)?,
        "remove" => remove(&session, &parameters)?,
        "invalidate" => invalidate(&session)?,
        "show" => show(&session, &parameters)?,
        other => return Err(unknown(other, site.diagnostics)),
    };
    let presentation = match command {
        _ if !wants_page => Presentation::Json,
        "show" => Presentation::Page(SessionDetails::of(&session)),
        command => Presentation::Redirect(outcome(command, &parameters, &session)),
    };
    Ok(CommandResult { sid: session.key(), facts, presentation }.response(&site))
}

/// Whether the request may change something. `GET` does too, for programs that know nothing else.
fn changes(request: &Request) -> bool {
    let query = Parameters::of_query(request.uri());
    request.method() == Method::POST || query.get("cmd").is_some_and(|command| command != "show")
}

fn outcome(command: &str, parameters: &Parameters, session: &Session) -> Outcome {
    let given =
        |name: &str| parameters.get(name).filter(|_| command == "mutate").unwrap_or_default().to_owned();
    Outcome {
        changed: (given("name"), given("v")),
        command: command.to_owned(),
        moved_from: session.previous_route().unwrap_or_default().to_owned(),
        is_new: session.is_new(),
        ..Outcome::default()
    }
}

/// The value of a version with so many bytes.
type MakeValue = fn(u64, usize) -> Result<Vec<u8>, ClusterappError>;

/// The value of the contract: below 16 bytes it is the first of 16 digits.
fn exact(v: u64, size: usize) -> Result<Vec<u8>, ClusterappError> {
    Ok(payload::payload(v, size))
}

/// The value for people, who want to see the version that they wrote.
fn legible(v: u64, size: usize) -> Result<Vec<u8>, ClusterappError> {
    payload::legible(v, size).ok_or_else(|| {
        let least = v.to_string().len();
        let message =
            format!("parameter `size`: {size} bytes have no room for the version {v}; give at least {least}");
        ClusterappError::bad_request(message)
    })
}

/// Logs once for each moved session that it came from another node, named in its cookie.
fn tell_takeover(session: &Session) {
    if let (Some(from), Some(key)) = (session.previous_route(), session.key()) {
        tracing::info!(session = %key, from, "session taken over");
    }
}

fn add(
    session: &Session,
    parameters: &Parameters,
    value: MakeValue,
) -> Result<ResultFields, ClusterappError> {
    let name = parameters.text("name")?;
    let size = size(parameters)?;
    let v = parameters.number("v", MAX_VERSION)?;
    let count = parameters.number_if_given("count", MAX_COUNT)?;
    if count == Some(0) {
        return Err(ClusterappError::bad_request(format!(
            "parameter `count`: give 1 to {MAX_COUNT}, or leave it out"
        )));
    }
    let full = parameters.flag("full")?;
    let existed = session.key().is_some();
    match count {
        None => session.set_bytes(name, value(v, size)?)?,
        Some(count) => {
            for number in 0..count {
                session.set_bytes(&format!("{name}{number}"), value(v, size)?)?;
            }
        }
    }
    if full {
        session.send_whole()?;
    }
    Ok(ResultFields { new: Some(!existed), v: Some(v), ..ResultFields::default() })
}

fn size(parameters: &Parameters) -> Result<usize, ClusterappError> {
    let size = parameters.number("size", u64::MAX)?;
    usize::try_from(size).ok().filter(|size| *size <= MAX_SIZE).ok_or_else(|| {
        let message =
            format!("parameter `size`: {size} bytes are too many; one value has at most {MAX_SIZE}");
        ClusterappError::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    })
}

/// Changes the attribute's value in place, at its old size, without setting it: the article's `map.put`.
fn mutate(
    session: &Session,
    parameters: &Parameters,
    make: MakeValue,
) -> Result<ResultFields, ClusterappError> {
    let name = parameters.text("name")?;
    let v = parameters.number("v", MAX_VERSION)?;
    let Some(mut value) = session.get_bytes_mut(name)? else {
        let message =
            format!("parameter `name`: the session has no attribute `{name}` that could be changed");
        return Err(ClusterappError::bad_request(message));
    };
    *value = make(v, value.len())?;
    tracing::debug!(session = ?session.key(), attribute = name, v, "attribute changed in place");
    Ok(ResultFields { v: Some(v), ..ResultFields::default() })
}

fn remove(session: &Session, parameters: &Parameters) -> Result<ResultFields, ClusterappError> {
    let name = parameters.text("name")?;
    session.remove(name)?;
    Ok(ResultFields::default())
}

fn invalidate(session: &Session) -> Result<ResultFields, ClusterappError> {
    session.invalidate()?;
    Ok(ResultFields::default())
}

fn show(session: &Session, parameters: &Parameters) -> Result<ResultFields, ClusterappError> {
    let sum = parameters.flag("sum")?;
    Ok(match parameters.get("name") {
        Some(name) => ResultFields::of_value(session.get_bytes(name).as_deref(), sum),
        None if session.key().is_none() => ResultFields::not_found(),
        None => ResultFields::of_session(session, sum),
    })
}

fn unknown(command: &str, diagnostics: bool) -> ClusterappError {
    let peek = if diagnostics { ", peek (in the query string)" } else { "" };
    ClusterappError::bad_request(format!(
        "parameter `cmd`: `{command}` is not a command; use add, mutate, remove, invalidate, show{peek}"
    ))
}
