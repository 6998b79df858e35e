//! The tower service: looks into the ledger before the handler, and notes the answer after it.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use http::{Request, StatusCode};
use tower_service::Service;

use super::keyed_request::KeyedRequest;
use super::ledger::{Entered, Ledger};
use super::stored_response::StoredResponse;
use crate::web::extract::NoSessionLayer;
use crate::web::session::Session;

const BUSY: &str = "a request with this idempotency key is still being worked on; try again later\n";
const OTHER: &str = "this idempotency key was used for another request; take a new one for each\n";

/// An application whose requests take effect once; made by [`IdempotencyLayer`](super::IdempotencyLayer).
#[derive(Clone, Debug)]
pub struct Idempotent<S> {
    inner: S,
}

impl<S> Idempotent<S> {
    pub(super) fn new(inner: S) -> Self {
        Self { inner }
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
        Box::pin(async move {
            let Some(session) = request.extensions().get::<Session>().cloned() else {
                return Ok(NoSessionLayer.into_response());
            };
            match enter(&session, request).await {
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
async fn enter(session: &Session, request: Request<Body>) -> Result<(Request<Body>, bool), Box<Response>> {
    let Some((app, key)) = session.ledgered() else { return Ok((request, false)) };
    let (asked, request) = KeyedRequest::of(request).await.map_err(|why| Box::new(why.into_response()))?;
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
        Ok(Entered::OtherRequest) => Err(Box::new((StatusCode::UNPROCESSABLE_ENTITY, OTHER).into_response())),
        Ok(Entered::Busy) => {
            Err(Box::new((StatusCode::CONFLICT, [(RETRY_AFTER, "1")], BUSY).into_response()))
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
