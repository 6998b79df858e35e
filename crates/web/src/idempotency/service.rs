//! The tower service: looks into the ledger before the handler, and notes the answer after it.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{HeaderValue, Request, StatusCode};
use tower_service::Service;

use super::keyed_request::KeyedRequest;
use super::ledger::{Entered, Ledger};
use super::stored_response::StoredResponse;
use crate::answers;
use crate::extract::NoSessionLayer;
use crate::session::Session;

const BUSY: &str = "This is still being worked on. Please try again in a moment.";
const OTHER: &str = "This idempotency key was used for another request. Please load the page again.";

/// An application whose requests take effect once; made by [`IdempotencyLayer`](super::IdempotencyLayer).
#[derive(Clone, Debug)]
pub struct Idempotent<S> {
    inner: S,
    body_limit: usize,
}

impl<S> Idempotent<S> {
    pub(super) fn new(inner: S, body_limit: usize) -> Self {
        Self { inner, body_limit }
    }
}

impl<S> Service<Request<Body>> for Idempotent<S>
where
    S: Service<Request<Body>, Response = Response> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The service that was made ready is the one to call; its clone may not be.
        let unready = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, unready);
        let body_limit = self.body_limit;
        Box::pin(async move {
            let Some(session) = request.extensions().get::<Session>().cloned() else {
                return Ok(NoSessionLayer.into_response());
            };
            match enter(&session, request, body_limit).await {
                Ok((request, is_claimed)) => {
                    let response = inner.call(request).await?;
                    Ok(if is_claimed { note(&session, response).await } else { response })
                }
                Err(answer) => Ok(*answer),
            }
        })
    }
}

/// Gives the request if it is to be carried out, and whether its answer is to be noted; else the answer.
async fn enter(
    session: &Session,
    request: Request<Body>,
    body_limit: usize,
) -> Result<(Request<Body>, bool), Box<Response>> {
    let Some((app, key)) = session.ledgered() else { return Ok((request, false)) };
    let (asked, request) =
        KeyedRequest::of(request, body_limit).await.map_err(|why| Box::new(why.into_response()))?;
    let Some(asked) = asked else { return Ok((request, false)) };
    match Ledger::new(app, key).enter(asked).await {
        Ok(Entered::Claimed(claim)) => {
            session.keep_claim(claim);
            Ok((request, true))
        }
        Ok(Entered::Done(answer)) => {
            session.count_replayed();
            Err(Box::new(answer.again()))
        }
        Ok(Entered::OtherRequest) => {
            Err(Box::new(answers::explained(StatusCode::UNPROCESSABLE_ENTITY, OTHER)))
        }
        Ok(Entered::Busy) => {
            let mut answer: Response = answers::explained(StatusCode::CONFLICT, BUSY);
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            Err(Box::new(answer))
        }
        Err(error) => Err(Box::new(error.into_response())),
    }
}

/// Notes the answer in the session, for the commit that follows.
async fn note(session: &Session, response: Response) -> Response {
    if response.status().is_server_error() && !session.wrote() {
        return response;
    }
    let (answer, response) = StoredResponse::note(response).await;
    session.note_done(answer);
    response
}
