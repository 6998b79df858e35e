//! Dispatches one request: tries node after node until one answers.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use http::{Request, Response, request};
use hyper::body::Incoming;
use tokio::time::{Instant, sleep};

use crate::backend::{ActiveRequest, Backend, BackendState};
use crate::backend_connection::Connection;
use crate::backend_pool::BackendPool;
use crate::body::{Lease, RequestBody, RequestPayload};
use crate::choice::BackendSet;
use crate::error_response::ErrorResponse;
use crate::headers;
use crate::health;
use crate::retry::{self, AttemptError};

/// How long a request that no node has processed waits for one that will: bridges the moment between a node's
/// death and the readiness of the others.
pub(crate) const NO_NODE_WAIT: Duration = Duration::from_secs(3);
/// Pause between two rounds over the nodes within that time.
pub(crate) const ROUND_PAUSE: Duration = Duration::from_millis(50);
/// Longest wait for the head of a response.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// The same where the request's body streams: the answer may come after a long upload.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(3_600);

/// A node's response.
pub(crate) struct BackendResponse {
    pub(crate) response: Response<Incoming>,
    /// The connection, if it can be used again.
    pub(crate) lease: Option<Lease>,
    /// The request is at the node until the response has ended.
    pub(crate) active: ActiveRequest,
}

/// A request under way.
#[derive(Debug)]
pub(crate) struct Dispatch<'a> {
    pool: &'a BackendPool,
    head: &'a request::Parts,
    payload: RequestPayload,
    retry: retry::Request,
    route: Option<usize>,
    /// Nodes that are not asked again in this round.
    tried: BackendSet,
    /// A node had the request and gave no answer: each other one may be asked once, but there is no further
    /// round.
    lost: bool,
    deadline: Option<Instant>,
    attempts: Vec<(Arc<Backend>, String)>,
}

impl<'a> Dispatch<'a> {
    pub(crate) fn new(
        pool: &'a BackendPool,
        head: &'a request::Parts,
        payload: RequestPayload,
        safe: bool,
    ) -> Self {
        Self {
            retry: retry::Request { replayable: payload.is_replayable(), safe },
            route: pool.route(&head.headers),
            pool,
            head,
            payload,
            tried: BackendSet::default(),
            lost: false,
            deadline: None,
            attempts: Vec::new(),
        }
    }

    /// Goes from node to node as far as the retry rule allows.
    pub(crate) async fn run(mut self) -> Result<BackendResponse, ErrorResponse> {
        loop {
            let Some(node) = self.pool.choose(self.tried, self.route) else {
                self.wait_for_a_node().await?;
                continue;
            };
            let active = node.begin_request();
            match self.ask(&node).await {
                Ok((response, lease)) => return Ok(BackendResponse { response, lease, active }),
                Err(failure) => self.note(&node, failure)?,
            }
        }
    }

    /// Sends the request to a node: over an idle connection while one proves good, else over a new one. A
    /// body that streams is sent once, so it never meets a connection of uncertain health.
    async fn ask(
        &mut self,
        node: &Arc<Backend>,
    ) -> Result<(Response<Incoming>, Option<Lease>), AttemptError> {
        node.counters.requests.fetch_add(1, Relaxed);
        if !self.attempts.is_empty() {
            node.counters.retries.fetch_add(1, Relaxed);
        }
        while self.retry.replayable
            && let Some(connection) = node.idle.take().await
        {
            match self.send(node, connection).await {
                Err(AttemptError::NotSent(cause)) => {
                    tracing::trace!(%cause, node = %node.name, "stale connection");
                }
                outcome => return outcome,
            }
        }
        let connection = Connection::open(&node.address).await.map_err(AttemptError::NotConnected)?;
        self.send(node, connection).await
    }

    async fn send(
        &mut self,
        node: &Arc<Backend>,
        mut connection: Connection,
    ) -> Result<(Response<Incoming>, Option<Lease>), AttemptError> {
        let limit = if self.retry.replayable { ANSWER_TIMEOUT } else { UPLOAD_TIMEOUT };
        let response = connection.send(self.request(), limit).await?;
        if self.retry.replayable && headers::says_unprocessed(response.status(), response.headers()) {
            return Err(AttemptError::Unprocessed);
        }
        let lease = self.retry.replayable.then(|| Lease { node: Arc::clone(node), connection });
        Ok((response, lease))
    }

    fn request(&mut self) -> Request<RequestBody> {
        Request::from_parts(self.head.clone(), self.payload.outgoing())
    }

    /// Learns from a failure; an error if the request must not be retried.
    fn note(&mut self, node: &Arc<Backend>, failure: AttemptError) -> Result<(), ErrorResponse> {
        tracing::debug!(node = %node.name, %failure, path = self.head.uri.path(), "a node did not answer");
        self.tried = self.tried.with(node.index);
        let counter = match &failure {
            AttemptError::NotConnected(_) => {
                health::report(self.pool, node, &failure);
                &node.counters.failed_connects
            }
            AttemptError::Unprocessed => &node.counters.unprocessed,
            _ => {
                self.lost = true;
                &node.counters.failures
            }
        };
        counter.fetch_add(1, Relaxed);
        node.recheck.notify_one();
        self.attempts.retain(|(tried, _)| !Arc::ptr_eq(tried, node));
        self.attempts.push((Arc::clone(node), failure.to_string()));
        if retry::may_retry(&failure, self.retry) { Ok(()) } else { Err(self.error(&failure)) }
    }

    fn error(&self, failure: &AttemptError) -> ErrorResponse {
        let sum = match failure {
            AttemptError::NotSent(_) => {
                "the body of the request had begun to stream, so it could not be sent again"
            }
            _ => "the request may have been processed, so it was not sent again",
        };
        match failure {
            AttemptError::Silent => ErrorResponse::timeout(self.describe_attempts(sum)),
            _ => ErrorResponse::bad_gateway(self.describe_attempts(sum)),
        }
    }

    /// Before the next round: a pause, while nothing can have processed the request and its time is not over.
    async fn wait_for_a_node(&mut self) -> Result<(), ErrorResponse> {
        if self.lost {
            return Err(ErrorResponse::lost_everywhere(self.describe_attempts("no other node is ready")));
        }
        let deadline = *self.deadline.get_or_insert_with(|| Instant::now() + NO_NODE_WAIT);
        if Instant::now() >= deadline {
            return Err(ErrorResponse::no_node(
                self.describe_attempts("no node is ready; try again in a second"),
            ));
        }
        self.pool.recheck_all();
        sleep(ROUND_PAUSE).await;
        self.tried = BackendSet::default();
        Ok(())
    }

    /// What became of the request at each node, in words.
    fn describe_attempts(&self, sum: &str) -> String {
        let mut text = sum.to_owned();
        for node in self.pool.nodes() {
            let tried = self.attempts.iter().find(|(tried, _)| Arc::ptr_eq(tried, &node));
            // Writing to a string does not fail.
            let _ = match tried {
                Some((_, failure)) => write!(text, "\n{}: {failure}", node.name),
                None if node.state() == BackendState::Up => {
                    write!(
                        text,
                        "\n{}: not tried, it has weight 0 and keeps only its own sessions",
                        node.name
                    )
                }
                None => write!(text, "\n{}: not tried, it is {}", node.name, node.state()),
            };
        }
        text
    }
}
