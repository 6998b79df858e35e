//! One listener's queue: bounded, and honest about what it had to drop.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use thiserror::Error;
use tokio::sync::Notify;

use super::Message;

/// Messages that wait for one listener.
const MESSAGES_MAX: usize = 1024;
/// Their bytes.
const BYTES_MAX: usize = 16 << 20;

/// The messages of one topic; ask `Cluster::messages` for it.
#[derive(Debug)]
pub struct Messages {
    inbox: Arc<Inbox>,
}

/// Why there is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoMessage {
    /// This listener was too slow: so many messages were dropped here, older than those that follow.
    #[error("{0} messages were missed: this listener is too slow")]
    Missed(u64),
    /// This node has left; there will be no more.
    #[error("this node has left the cluster")]
    Closed,
}

impl Messages {
    pub(super) fn of(inbox: Arc<Inbox>) -> Self {
        Self { inbox }
    }

    /// Waits for the next message. May be dropped while it waits without losing anything.
    ///
    /// # Errors
    /// [`NoMessage::Missed`] once after each time that messages were dropped; the next call goes on.
    /// [`NoMessage::Closed`] when there will be no more.
    pub async fn recv(&mut self) -> Result<Message, NoMessage> {
        loop {
            let arrived = self.inbox.arrived.notified();
            if let Some(next) = self.inbox.state.lock().next() {
                return next;
            }
            arrived.await;
        }
    }
}

/// What waits for one listener.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Message>,
    bytes: usize,
    missed: u64,
    closed: bool,
}

impl Inbox {
    /// Appends a message; says how many older ones it had to drop for it.
    pub(super) fn push(&self, message: Message) -> u64 {
        let dropped = self.state.lock().push(message);
        self.arrived.notify_one();
        dropped
    }

    /// There will be no more.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.arrived.notify_one();
    }
}

impl State {
    fn push(&mut self, message: Message) -> u64 {
        self.bytes += message.content.len();
        self.queue.push_back(message);
        let before = self.missed;
        while self.queue.len() > MESSAGES_MAX || self.bytes > BYTES_MAX {
            let Some(oldest) = self.queue.pop_front() else { break };
            self.bytes -= oldest.content.len();
            self.missed += 1;
        }
        self.missed - before
    }

    fn next(&mut self) -> Option<Result<Message, NoMessage>> {
        let missed = std::mem::take(&mut self.missed);
        if missed > 0 {
            return Some(Err(NoMessage::Missed(missed)));
        }
        match self.queue.pop_front() {
            Some(message) => {
                self.bytes -= message.content.len();
                Some(Ok(message))
            }
            None => self.closed.then_some(Err(NoMessage::Closed)),
        }
    }
}
