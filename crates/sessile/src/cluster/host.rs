//! The request side of the driver: what a request, or a job outside HTTP, does with the node.
//!
//! The node itself never waits. Here its answers become futures: for the gate, for the members that are asked
//! about an unknown session, for the receipt of a commit. Knows nothing of cookies or HTTP; `web` does.

use std::sync::Arc;
use std::time::Duration;

use sessile_core::{
    Absent, AppId, Changes, Closed, Effect, Gate, Node, Opened, Opening, Proof, Receipt, Refusal, SessionKey,
};

use tokio::sync::oneshot;

use super::clock::Clock;
use super::executor::Executor;
use super::waiters::Waiters;

const ALWAYS_RESOLVES: &str = "a waiter leaves its table only by being sent the outcome";

/// How often a request that found the gate stalled looks again, should nobody have told it.
const GATE_POLL: Duration = Duration::from_millis(50);

/// This node does not serve now: the request was not processed and may go to another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this node does not serve now ({0:?}); another one may")]
pub(crate) struct NotServing(pub(crate) Closed);

/// The sessions of this node, as requests use them.
pub(crate) struct SessionHost {
    node: Arc<Node>,
    clock: Clock,
    executor: Arc<Executor>,
    waiters: Arc<Waiters>,
}

impl SessionHost {
    /// The request side of `node`. `executor` must hand what settles to the same `waiters`.
    pub(crate) fn new(node: Arc<Node>, clock: Clock, executor: Arc<Executor>, waiters: Arc<Waiters>) -> Self {
        Self { node, clock, executor, waiters }
    }

    /// Waits while the lease is out; then says whether this node serves.
    pub(crate) async fn admitted(&self) -> Result<(), NotServing> {
        loop {
            let moved = self.waiters.gate.notified();
            match self.node.gate(self.clock.now()) {
                Gate::Open => return Ok(()),
                Gate::Closed(closed) => return Err(NotServing(closed)),
                // The lease is also renewed by time alone, so a missed notice costs one poll, not the request.
                Gate::Stalled => drop(tokio::time::timeout(GATE_POLL, moved).await),
            }
        }
    }

    /// Opens a session for one request, asking all members first when it is not known here.
    pub(crate) async fn open(
        self: &Arc<Self>,
        key: SessionKey,
        proof: Proof,
    ) -> Result<(OpenSession, Opened), Absent> {
        let opening = self.tell(|node, now, fx| node.open(key, proof, now, fx));
        match opening {
            Opening::Open(opened) => Ok((OpenSession::new(self, opened.key), opened)),
            Opening::Absent(absent) => Err(absent),
            Opening::Asking(ask) => {
                self.waiters.asks.expect(ask).await.expect(ALWAYS_RESOLVES);
                match self.tell(|node, now, fx| node.open_answered(ask, key, proof, now, fx)) {
                    Opening::Open(opened) => Ok((OpenSession::new(self, opened.key), opened)),
                    Opening::Absent(absent) => Err(absent),
                    Opening::Asking(_) => unreachable!("an answered question is not asked again"),
                }
            }
        }
    }

    /// Whether one more session of `app` would be accepted now.
    pub(crate) fn has_room(&self, app: AppId) -> bool {
        self.node.has_room(app)
    }

    /// Commits `changes`. When this returns, the node and the senders hold the commit, and it runs to its end
    /// whether or not anybody waits for the settlement: that is why no task of its own is needed.
    pub(crate) fn commit(&self, key: SessionKey, changes: Changes) -> Result<Settlement, Refusal> {
        let mut effects = Vec::new();
        let ticket = self.node.commit(key, changes, self.clock.now(), &mut effects)?;
        let settlement = Settlement(self.waiters.commits.expect(ticket));
        self.executor.run(effects);
        Ok(settlement)
    }

    /// Ends the session everywhere, for good, also when it is not known here. Like a commit, it needs nobody to
    /// wait; `None` when it had ended before.
    pub(crate) fn end(&self, key: SessionKey) -> Option<Settlement> {
        let mut effects = Vec::new();
        let ticket = self.node.end(key, self.clock.now(), &mut effects);
        let settlement = ticket.map(|ticket| Settlement(self.waiters.commits.expect(ticket)));
        self.executor.run(effects);
        settlement
    }

    /// Waits until the commit of this node on that session, which a reader may have seen, is settled.
    pub(crate) async fn settled(&self, key: SessionKey) {
        while let Some(ticket) = self.node.unsettled(key) {
            if let Some(joined) = self.waiters.commits.join(&ticket) {
                let _ = joined.await;
                return;
            }
            // Its committer is between the commit and its first wait, or its settling is being carried out.
            tokio::task::yield_now().await;
        }
    }

    fn tell<T>(&self, input: impl FnOnce(&Node, sessile_core::Instant, &mut Vec<Effect>) -> T) -> T {
        let mut effects = Vec::new();
        let answer = input(&self.node, self.clock.now(), &mut effects);
        self.executor.run(effects);
        answer
    }
}

/// A session is open as long as this lives, and does not expire.
pub(crate) struct OpenSession {
    host: Arc<SessionHost>,
    key: SessionKey,
}

impl OpenSession {
    fn new(host: &Arc<SessionHost>, key: SessionKey) -> Self {
        Self { host: Arc::clone(host), key }
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        self.host.node.close(self.key, self.host.clock.now());
    }
}

/// A commit on its way to everybody who must hold it.
#[must_use = "the response must wait for it"]
pub(crate) struct Settlement(oneshot::Receiver<Receipt>);

impl Settlement {
    /// Waits until all who must hold the commit hold it, or were given up.
    pub(crate) async fn receipt(self) -> Receipt {
        self.0.await.expect(ALWAYS_RESOLVES)
    }
}
