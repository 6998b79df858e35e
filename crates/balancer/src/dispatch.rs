//! Dispatches one request: tries node after node until one answers.

mod report;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use http::header::TRANSFER_ENCODING;
use http::{HeaderValue, Request, Response, request};
use hyper::body::{Body as _, Incoming};
use sessile_http_server::ClientInfo;
use tokio::time::{Instant, sleep};

use crate::backend::{ActiveRequest, Backend, BackendState};
use crate::backend_connection::Connection;
use crate::backend_pool::{BackendPool, Origin};
use crate::body::{OutgoingBody, RequestPayload};
use crate::choice::BackendSet;
use crate::error_response::ErrorResponse;
use crate::headers;
use crate::health;
use crate::retry::{self, AttemptError};
use crate::settings::Settings;
use crate::waiting_room::Waiting;
use report::NotTried;

/// Most nodes that may begin one request: what ends one node may end the next one.
const MAX_BEGUN: usize = 3;

/// A node's response.
pub(crate) struct BackendResponse {
    pub(crate) response: Response<Incoming>,
    pub(crate) connection: Connection,
    /// The connection can be used again after the response.
    pub(crate) reusable: bool,
    /// The request is at the node until the response has ended.
    pub(crate) active: ActiveRequest,
    /// Nodes that were asked.
    pub(crate) attempts: u32,
}

/// The inputs for one request.
#[derive(Debug)]
pub(crate) struct Order<'a> {
    pub(crate) pool: &'a BackendPool,
    pub(crate) settings: &'a Settings,
    pub(crate) head: &'a request::Parts,
    pub(crate) payload: RequestPayload,
    pub(crate) origin: Origin,
    /// The client that is named to the node.
    pub(crate) client: &'a ClientInfo,
    /// The worker whose connections are used.
    pub(crate) worker: usize,
}

/// A request under way.
#[derive(Debug)]
pub(crate) struct Dispatch<'a> {
    order: Order<'a>,
    retry: retry::Request,
    /// Nodes that are not asked again in this round.
    tried: BackendSet,
    /// Nodes that had the request and gave no answer: each other one may be asked once, but there is no
    /// further round.
    begun: usize,
    waiting: Option<(Waiting<'a>, Instant)>,
    attempts: Vec<(Arc<Backend>, String)>,
    asked: u32,
}

impl<'a> Dispatch<'a> {
    pub(crate) fn new(order: Order<'a>) -> Self {
        let (head, unsafe_paths) = (order.head, &order.settings.balance.unsafe_paths);
        let safe = retry::is_safe(&head.method, head.uri.path(), unsafe_paths);
        Self {
            retry: retry::Request { replayable: order.payload.is_replayable(), safe },
            order,
            tried: BackendSet::default(),
            begun: 0,
            waiting: None,
            attempts: Vec::new(),
            asked: 0,
        }
    }

    /// Goes from node to node as far as the retry rule allows.
    pub(crate) async fn run(mut self) -> Result<BackendResponse, ErrorResponse> {
        self.order.pool.retries.deposit(self.order.settings.balance.retry_percent);
        loop {
            let Some(active) = self.order.pool.choose(self.tried, self.order.origin, self.order.settings)
            else {
                self.wait_for_a_node().await?;
                continue;
            };
            let node = Arc::clone(active.node());
            self.asked += 1;
            match self.ask(&node).await {
                Ok((response, connection)) => {
                    self.judge(&node, &response);
                    let (reusable, attempts) = (self.may_share(&node), self.asked);
                    return Ok(BackendResponse { response, connection, reusable, active, attempts });
                }
                Err(failure) => self.note(&node, failure)?,
            }
        }
    }

    /// Sends the request to a node: over an idle connection while one proves good, else over a new one. A
    /// body that streams is sent once, so it never meets a connection of uncertain health.
    async fn ask(&mut self, node: &Arc<Backend>) -> Result<(Response<Incoming>, Connection), AttemptError> {
        node.counters.requests.fetch_add(1, Relaxed);
        if !self.attempts.is_empty() {
            node.counters.retries.fetch_add(1, Relaxed);
        }
        while self.may_share(node)
            && let Some(connection) = node.idle.take(self.order.worker).await
        {
            match self.send(node, connection).await {
                Err(AttemptError::NotSent(cause)) => {
                    tracing::trace!(%cause, node = %node.name, "stale connection");
                }
                outcome => return outcome,
            }
        }
        let Order { settings, client, .. } = self.order;
        let opening = settings.opening(node, Some(client));
        let connection = Connection::open(&node.address, opening, &settings.balance.limits).await;
        let mut connection = connection.map_err(AttemptError::NotConnected)?;
        if !self.retry.replayable {
            // Its body flows on while the answer is being read.
            connection.detach();
        }
        self.send(node, connection).await
    }

    /// Whether a connection may serve other requests before and after: not one that names its client.
    fn may_share(&self, node: &Backend) -> bool {
        self.retry.replayable && node.proxy_protocol.is_none()
    }

    async fn send(
        &mut self,
        node: &Arc<Backend>,
        mut connection: Connection,
    ) -> Result<(Response<Incoming>, Connection), AttemptError> {
        let limit = self.order.settings.balance.limits.answer_timeout;
        let request = self.request();
        let (complete, streams) = (request.body().completion(), !self.retry.replayable);
        let late = async move {
            if streams {
                // Its client has limits of its own until then.
                complete.notified().await;
            }
            sleep(limit).await;
        };
        // Made before the state is read: a node that goes down after that is heard of.
        let lost = node.lost.notified();
        let repeatable = self.retry.is_repeatable();
        if repeatable && node.state() == BackendState::Down {
            return Err(AttemptError::NodeLost);
        }
        let abandoned = async { if repeatable { lost.await } else { std::future::pending().await } };
        let response = connection.send(request, late, abandoned).await?;
        if self.retry.replayable && headers::says_unprocessed(response.status(), response.headers()) {
            return Err(AttemptError::Unprocessed);
        }
        Ok((response, connection))
    }

    fn request(&mut self) -> Request<OutgoingBody> {
        let body = self.order.payload.outgoing();
        let mut request = Request::from_parts(self.order.head.clone(), body);
        if request.body().size_hint().exact().is_none() {
            // Of a GET the engine would believe that it has no body.
            request.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        request
    }

    /// Learns from an answer.
    fn judge(&self, node: &Arc<Backend>, response: &Response<Incoming>) {
        let status = response.status().as_u16();
        if let Some(counter) = node.counters.responses.get(usize::from(status / 100).wrapping_sub(2)) {
            counter.fetch_add(1, Relaxed);
        }
        match status {
            502 | 504 => self.order.pool.note_failure(node, self.order.settings),
            _ => node.outlier.succeeded(),
        }
    }

    /// Learns from a failure; an error if the request must not be retried.
    fn note(&mut self, node: &Arc<Backend>, failure: AttemptError) -> Result<(), ErrorResponse> {
        if let AttemptError::ClientFailed(failure) = failure {
            // That says nothing about the node.
            return Err(ErrorResponse::client_failed(failure));
        }
        let path = self.order.head.uri.path();
        tracing::debug!(node = %node.name, %failure, path, "a node did not answer");
        self.tried = self.tried.with(node.index);
        let counter = match &failure {
            AttemptError::NotConnected(_) => {
                health::report(self.order.pool, node, &failure);
                &node.counters.failed_connects
            }
            AttemptError::Unprocessed => &node.counters.unprocessed,
            _ => &node.counters.failures,
        };
        counter.fetch_add(1, Relaxed);
        if failure.may_have_begun() {
            self.begun += 1;
            self.order.pool.note_failure(node, self.order.settings);
        }
        node.recheck.notify_one();
        self.attempts.retain(|(tried, _)| !Arc::ptr_eq(tried, node));
        self.attempts.push((Arc::clone(node), failure.to_string()));
        if !retry::may_retry(&failure, self.retry) {
            return Err(self.error(&failure));
        }
        if self.begun >= MAX_BEGUN {
            let sum = format!("{MAX_BEGUN} nodes gave no answer, so it was not sent to another one");
            return Err(ErrorResponse::lost_everywhere(self.describe(&sum, NotTried::NoRetry)));
        }
        // A node that is down works on nothing: only what may still run somewhere costs twice.
        if matches!(failure, AttemptError::NoAnswer(_)) && !self.order.pool.retries.withdraw() {
            let sum = "too many requests have been sent again of late";
            return Err(ErrorResponse::lost_everywhere(self.describe(sum, NotTried::NoRetry)));
        }
        Ok(())
    }

    fn error(&self, failure: &AttemptError) -> ErrorResponse {
        let sum = match failure {
            AttemptError::NotSent(_) => {
                "the body of the request had begun to stream, so it could not be sent again"
            }
            _ => "the request may have been processed, so it was not sent again",
        };
        let detail = self.describe(sum, NotTried::NoRetry);
        match failure {
            AttemptError::Silent => ErrorResponse::timeout(detail),
            _ => ErrorResponse::bad_gateway(detail),
        }
    }

    /// Before the next round: a pause in the queue, while no node can have begun the request and its time is
    /// not over.
    async fn wait_for_a_node(&mut self) -> Result<(), ErrorResponse> {
        if self.begun > 0 {
            let detail = self.describe("no other node is ready", NotTried::NoNode);
            return Err(ErrorResponse::lost_everywhere(detail));
        }
        let queue = &self.order.settings.balance.queue;
        if self.waiting.is_none() {
            let Some(waiting) = self.order.pool.room.enter(queue.length as usize) else {
                let sum = format!("{} requests wait for a node already", queue.length);
                return Err(ErrorResponse::no_node(self.describe(&sum, NotTried::NoNode)));
            };
            self.waiting = Some((waiting, Instant::now() + queue.wait));
        }
        if let Some((waiting, _)) = self.waiting.take_if(|(_, deadline)| Instant::now() >= *deadline) {
            waiting.give_up();
            let sum = format!("no node was ready within {:?}", queue.wait);
            return Err(ErrorResponse::no_node(self.describe(&sum, NotTried::NoNode)));
        }
        if !self.order.pool.is_full() {
            self.order.pool.recheck_all();
        }
        if let Some((waiting, _)) = &self.waiting {
            waiting.sleep().await;
        }
        self.tried = BackendSet::default();
        Ok(())
    }
}
