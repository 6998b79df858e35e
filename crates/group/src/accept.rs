//! The listening side: accepts connections and hands out those that authenticate.
//!
//! Before authentication a connection costs a socket, a small buffer and a place among a bounded number of
//! handshakes. A newcomer over the bound takes the place of the oldest one, so that connections which only
//! wait never keep a member out.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use crate::channel::Incoming;
use crate::event::Event;
use crate::group_state::GroupState;
use crate::handshake::answer;
use crate::handshake_refusal::HandshakeRefusal;
use crate::identity::Peer;
use crate::inbound::Inbound;
use crate::warning_limit::WarningLimit;

/// Handshakes under way at once.
const PENDING_MAX: usize = 128;
/// Of these, from one IP address: more than the members that one machine sensibly runs, since they may all
/// start at once.
const PENDING_PER_SOURCE: usize = 16;
/// Pause after the system refused to accept, for instance for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

type Answer = Result<Option<Inbound>, HandshakeRefusal>;

/// Accepts connections until it is dropped.
pub(crate) struct Acceptor {
    node: Arc<GroupState>,
    callers: mpsc::Sender<Peer>,
    handshakes: JoinSet<Answer>,
    /// Oldest first.
    pending: VecDeque<Pending>,
    warning_limit: WarningLimit,
}

struct Pending {
    id: Id,
    source: IpAddr,
    task: AbortHandle,
}

impl Acceptor {
    /// `callers` is told of every process that connected.
    pub(crate) fn new(node: Arc<GroupState>, callers: mpsc::Sender<Peer>) -> Self {
        Self {
            node,
            callers,
            handshakes: JoinSet::new(),
            pending: VecDeque::new(),
            warning_limit: WarningLimit::default(),
        }
    }

    pub(crate) async fn run(mut self, listener: TcpListener) {
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, remote)) => self.begin(stream, remote),
                    Err(error) => {
                        self.node.counts.accept_failed.up();
                        tracing::debug!(%error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(done) = self.handshakes.join_next_with_id() => self.end(done).await,
            }
        }
    }

    /// Rule 9.6.
    fn begin(&mut self, stream: TcpStream, remote: SocketAddr) {
        let source = remote.ip();
        let of_source = self.pending.iter().filter(|pending| pending.source == source).count();
        if of_source >= PENDING_PER_SOURCE {
            self.evict(|pending| pending.source == source);
        } else if self.pending.len() >= PENDING_MAX {
            self.evict(|_| true);
        }
        let task = self.handshakes.spawn(answer(self.node.clone(), stream, remote));
        self.pending.push_back(Pending { id: task.id(), source, task });
    }

    /// Ends the oldest handshake of those. Rule 9.6.
    fn evict(&mut self, of: impl Fn(&Pending) -> bool) {
        let oldest = self.pending.iter().position(of).and_then(|place| self.pending.remove(place));
        if let Some(oldest) = oldest {
            oldest.task.abort();
            self.node.counts.refused(HandshakeRefusal::Crowded);
        }
    }

    async fn end(&mut self, done: Result<(Id, Answer), JoinError>) {
        let (id, answer) = match done {
            Ok((id, answer)) => (id, Some(answer)),
            Err(error) => {
                if error.is_panic() {
                    tracing::error!(%error, "a handshake failed by a fault of this program");
                }
                // Otherwise evicted, and counted there.
                (error.id(), None)
            }
        };
        let place = self.pending.iter().position(|pending| pending.id == id);
        let source = place.and_then(|place| self.pending.remove(place)).map(|pending| pending.source);
        match answer {
            Some(Ok(Some(inbound))) => {
                self.node.counts.accepted.up();
                let (peer, connection) = (inbound.peer().clone(), inbound.connection());
                self.node.tell(Event::Inbound(Box::new(inbound))).await;
                if connection == 0 {
                    // The dialer ends only together with this task.
                    let _ = self.callers.send(peer).await;
                }
            }
            Some(Err(cause)) => {
                self.node.counts.refused(cause);
                self.complain(source, cause);
            }
            Some(Ok(None)) | None => {}
        }
    }

    /// A refused connection is worth a warning now and then, but for those that only open and close.
    fn complain(&mut self, source: Option<IpAddr>, cause: HandshakeRefusal) {
        if !cause.is_passing()
            && let Some(times) = self.warning_limit.may_speak()
        {
            let source = source.map(tracing::field::display);
            tracing::warn!(source, times, "a connection to the replication port was refused: {cause}");
        }
    }
}
