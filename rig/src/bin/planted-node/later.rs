//! The next version around a node of today: a channel that translates, a field that every commit counts up, and a page
//! that reads it back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use axum::extract::Query;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use sessile::seams::{
    Channel, Depth, Event, GroupError, Incoming, NextBatch, OpenChannel, Peer, SendError, Stopping, Tally,
};
use sessile::{Cluster, ClusterSecrets, Fields, SessionKey};
use sessile_core::Changes;
use sessile_planted::next;
use tokio::sync::mpsc::{self, Receiver, Sender};

/// Events on their way to the owner; the channel below waits while it is full.
const EVENTS_MAX: usize = 16;

/// So many frames are followed by one that is about no session.
const GREETS_EVERY: usize = 64;

/// Where clusterapp is on every node of the test hosts.
const CLUSTERAPP: &str = "/clusterapp";

/// A node of the next version.
pub(crate) struct Later {
    watches: Duration,
    /// It has everything and does not serve yet.
    watching: Arc<AtomicBool>,
}

impl Later {
    pub(crate) fn new(watches: Duration) -> Self {
        Self { watches, watching: Arc::new(AtomicBool::new(true)) }
    }

    /// Stays in the next version's state of a member for a while, and then is an ordinary one.
    pub(crate) async fn watch(&self) {
        tokio::time::sleep(self.watches).await;
        self.watching.store(false, Relaxed);
    }

    /// Translates everything between the node and its channel.
    pub(crate) fn around(&self) -> impl FnOnce(OpenChannel) -> OpenChannel + Send + Sync + 'static {
        let watching = Arc::clone(&self.watching);
        move |(inner, events)| {
            let (heard, translated) = mpsc::channel(EVENTS_MAX);
            tokio::spawn(pass_on(events, heard));
            (Box::new(Translator { inner, watching, sent: AtomicUsize::new(0) }), translated)
        }
    }
}

/// Every commit of the next version counts in its own field how many there were of this session.
pub(crate) fn commit(held: Option<&Fields>, changes: &mut Changes) {
    let so_far = held.and_then(next::read).unwrap_or(0);
    next::write(changes, so_far.wrapping_add(1));
}

/// `GET /later?sid=KEY` is what this node's copy of a session of clusterapp holds of that field: a number, or null.
pub(crate) fn pages(cluster: Cluster) -> Router {
    #[derive(serde::Deserialize)]
    struct Asked {
        sid: String,
    }
    let view = cluster.look(CLUSTERAPP);
    let page = move |Query(asked): Query<Asked>| async move {
        let key = SessionKey::parse(&asked.sid).ok_or(StatusCode::BAD_REQUEST)?;
        let fields = view.peek(key).ok_or(StatusCode::NOT_FOUND)?;
        Ok::<_, StatusCode>(Json(next::read(&fields)))
    };
    Router::new().route("/later", get(page))
}

/// The channel as the next version uses it.
struct Translator {
    inner: Box<dyn Channel>,
    watching: Arc<AtomicBool>,
    sent: AtomicUsize,
}

impl Channel for Translator {
    fn push(&self, to: u32, connection: usize, frame: Bytes) -> Result<(), SendError> {
        let pushed = self.inner.push(to, connection, next::outgoing(&frame, self.watching.load(Relaxed)));
        if self.sent.fetch_add(1, Relaxed).is_multiple_of(GREETS_EVERY) {
            // As all that is sent, it may be lost.
            let _ = self.inner.push(to, 0, next::greeting());
        }
        pushed
    }

    fn flush(&self, to: u32, connection: usize) {
        self.inner.flush(to, connection);
    }

    fn queued(&self, to: u32) -> Depth {
        self.inner.queued(to)
    }

    fn counters(&self) -> Tally {
        self.inner.counters()
    }

    fn forget(&self, incarnation: u32) {
        self.inner.forget(incarnation);
    }

    fn renew_secrets(&self, secrets: &ClusterSecrets) -> Result<(), GroupError> {
        self.inner.renew_secrets(secrets)
    }

    fn stop(&self) -> Stopping<'_> {
        self.inner.stop()
    }
}

async fn pass_on(mut events: Receiver<Event>, heard: Sender<Event>) {
    while let Some(event) = events.recv().await {
        let event = match event {
            Event::Inbound(inner) => Event::Inbound(Box::new(Understood { inner })),
            other => other,
        };
        if heard.send(event).await.is_err() {
            return;
        }
    }
}

/// What comes over one connection, as the next version hands it to its core.
struct Understood {
    inner: Box<dyn Incoming>,
}

impl Incoming for Understood {
    fn peer(&self) -> &Peer {
        self.inner.peer()
    }

    fn lane(&self) -> usize {
        self.inner.lane()
    }

    fn next_batch<'a>(&'a mut self, out: &'a mut Vec<Bytes>) -> NextBatch<'a> {
        Box::pin(async move {
            let before = out.len();
            loop {
                let read = self.inner.next_batch(out).await;
                let understood: Vec<_> =
                    out.drain(before..).filter_map(|frame| next::incoming(&frame)).collect();
                out.extend(understood);
                if read.is_err() || out.len() > before {
                    return read;
                }
            }
        })
    }
}
