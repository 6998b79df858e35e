//! The way of one request from node to node until one answers.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use http::{Request, Response, request};
use hyper::body::Incoming;
use tokio::time::{Instant, sleep};

use crate::body::{Lease, Payload, RequestBody};
use crate::choice::NodeSet;
use crate::connection::Connection;
use crate::fleet::Fleet;
use crate::headers;
use crate::health;
use crate::node::{Node, NodeState, Visit};
use crate::refusal::Refusal;
use crate::repeat::{self, Failure};

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
pub(crate) struct Answer {
    pub(crate) response: Response<Incoming>,
    /// The connection, if it can be used again.
    pub(crate) lease: Option<Lease>,
    /// The request is at the node until the response has ended.
    pub(crate) visit: Visit,
}

/// A request under way.
#[derive(Debug)]
pub(crate) struct Passage<'a> {
    fleet: &'a Fleet,
    head: &'a request::Parts,
    payload: Payload,
    rule: repeat::Request,
    route: Option<usize>,
    /// Nodes that are not asked again in this round.
    tried: NodeSet,
    /// A node had the request and gave no answer: each other one may be asked once, but there is no further
    /// round.
    lost: bool,
    give_up: Option<Instant>,
    trail: Vec<(Arc<Node>, String)>,
}

impl<'a> Passage<'a> {
    pub(crate) fn new(fleet: &'a Fleet, head: &'a request::Parts, payload: Payload, safe: bool) -> Self {
        Self {
            rule: repeat::Request { replayable: payload.is_replayable(), safe },
            route: fleet.route(&head.headers),
            fleet,
            head,
            payload,
            tried: NodeSet::default(),
            lost: false,
            give_up: None,
            trail: Vec::new(),
        }
    }

    /// Goes from node to node as far as the repeat rule allows.
    pub(crate) async fn run(mut self) -> Result<Answer, Refusal> {
        loop {
            let Some(node) = self.fleet.choose(self.tried, self.route) else {
                self.wait_for_a_node().await?;
                continue;
            };
            let visit = node.visit();
            match self.ask(&node).await {
                Ok((response, lease)) => return Ok(Answer { response, lease, visit }),
                Err(failure) => self.note(&node, failure)?,
            }
        }
    }

    /// Sends the request to a node: over an idle connection while one proves good, else over a new one. A
    /// body that streams is sent once, so it never meets a connection of uncertain health.
    async fn ask(&mut self, node: &Arc<Node>) -> Result<(Response<Incoming>, Option<Lease>), Failure> {
        node.counters.requests.fetch_add(1, Relaxed);
        if !self.trail.is_empty() {
            node.counters.repeats.fetch_add(1, Relaxed);
        }
        while self.rule.replayable
            && let Some(connection) = node.pool.take().await
        {
            match self.send(node, connection).await {
                Err(Failure::NotSent(cause)) => {
                    tracing::trace!(%cause, node = %node.name, "stale connection");
                }
                outcome => return outcome,
            }
        }
        let connection = Connection::open(&node.address).await.map_err(Failure::NotConnected)?;
        self.send(node, connection).await
    }

    async fn send(
        &mut self,
        node: &Arc<Node>,
        mut connection: Connection,
    ) -> Result<(Response<Incoming>, Option<Lease>), Failure> {
        let limit = if self.rule.replayable { ANSWER_TIMEOUT } else { UPLOAD_TIMEOUT };
        let response = connection.send(self.request(), limit).await?;
        if self.rule.replayable && headers::says_unprocessed(response.status(), response.headers()) {
            return Err(Failure::Unprocessed);
        }
        let lease = self.rule.replayable.then(|| Lease { node: Arc::clone(node), connection });
        Ok((response, lease))
    }

    fn request(&mut self) -> Request<RequestBody> {
        Request::from_parts(self.head.clone(), self.payload.outgoing())
    }

    /// Learns from a failure; an error if the request must not be repeated.
    fn note(&mut self, node: &Arc<Node>, failure: Failure) -> Result<(), Refusal> {
        tracing::debug!(node = %node.name, %failure, path = self.head.uri.path(), "a node did not answer");
        self.tried = self.tried.with(node.slot);
        let counter = match &failure {
            Failure::NotConnected(_) => {
                health::report(self.fleet, node, &failure);
                &node.counters.failed_connects
            }
            Failure::Unprocessed => &node.counters.unprocessed,
            _ => {
                self.lost = true;
                &node.counters.failures
            }
        };
        counter.fetch_add(1, Relaxed);
        node.recheck.notify_one();
        self.trail.retain(|(tried, _)| !Arc::ptr_eq(tried, node));
        self.trail.push((Arc::clone(node), failure.to_string()));
        if repeat::may_repeat(&failure, self.rule) { Ok(()) } else { Err(self.refuse(&failure)) }
    }

    fn refuse(&self, failure: &Failure) -> Refusal {
        let sum = match failure {
            Failure::NotSent(_) => {
                "the body of the request had begun to stream, so it could not be sent again"
            }
            _ => "the request may have been processed, so it was not sent again",
        };
        match failure {
            Failure::Silent => Refusal::timeout(self.account(sum)),
            _ => Refusal::bad_gateway(self.account(sum)),
        }
    }

    /// Before the next round: a pause, while nothing can have processed the request and its time is not over.
    async fn wait_for_a_node(&mut self) -> Result<(), Refusal> {
        if self.lost {
            return Err(Refusal::lost_everywhere(self.account("no other node is ready")));
        }
        let give_up = *self.give_up.get_or_insert_with(|| Instant::now() + NO_NODE_WAIT);
        if Instant::now() >= give_up {
            return Err(Refusal::no_node(self.account("no node is ready; try again in a second")));
        }
        self.fleet.recheck_all();
        sleep(ROUND_PAUSE).await;
        self.tried = NodeSet::default();
        Ok(())
    }

    /// What became of the request at each node, in words.
    fn account(&self, sum: &str) -> String {
        let mut text = sum.to_owned();
        for node in self.fleet.nodes() {
            let tried = self.trail.iter().find(|(tried, _)| Arc::ptr_eq(tried, &node));
            // Writing to a string does not fail.
            let _ = match tried {
                Some((_, failure)) => write!(text, "\n{}: {failure}", node.name),
                None if node.state() == NodeState::Up => {
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
