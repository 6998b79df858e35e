//! The planted next version around a current node: a translating channel, a field that every commit
//! increments, and a page that reads the field back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use axum::extract::Query;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use sessile::content::Fields;
use sessile::seams::{
    Channel, Depth, Event, GroupError, Incoming, NextBatch, OpenChannel, Peer, SendError, Stopping, Tally,
};
use sessile::{Cluster, ClusterSecrets, SessionKey};
use sessile_core::Changes;
use sessile_planted::next;
use tokio::sync::mpsc::{self, Receiver, Sender};

/// Capacity of the event channel; the inner channel waits while it is full.
const EVENTS_MAX: usize = 16;

/// A control frame without a session follows this many frames.
const GREETS_EVERY: usize = 64;

/// Mount path of clusterapp on the test nodes.
const CLUSTERAPP: &str = "/clusterapp";

/// A node of the next version.
pub(crate) struct NextVersion {
    watches: Duration,
    /// The node has the complete state and does not serve yet.
    watching: Arc<AtomicBool>,
}

impl NextVersion {
    pub(crate) fn new(watches: Duration) -> Self {
        Self { watches, watching: Arc::new(AtomicBool::new(true)) }
    }

    /// Stays in the next version's additional member state for a while, then becomes an ordinary member.
    pub(crate) async fn watch(&self) {
        tokio::time::sleep(self.watches).await;
        self.watching.store(false, Relaxed);
    }

    /// Translates all frames between the node and its channel.
    pub(crate) fn around(&self) -> impl FnOnce(OpenChannel) -> OpenChannel + Send + Sync + 'static {
        let watching = Arc::clone(&self.watching);
        move |(inner, events)| {
            let (heard, translated) = mpsc::channel(EVENTS_MAX);
            tokio::spawn(pass_on(events, heard));
            (Box::new(Translator { inner, watching, sent: AtomicUsize::new(0) }), translated)
        }
    }
}

/// Every commit of the next version increments the session's new field.
pub(crate) fn commit(held: Option<&Fields>, changes: &mut Changes) {
    let so_far = held.and_then(next::read).unwrap_or(0);
    next::write(changes, so_far.wrapping_add(1));
}

/// `GET /later?sid=KEY` returns that field of this node's copy of a clusterapp session: a number, or null.
pub(crate) fn pages(cluster: Cluster) -> Router {
    #[derive(serde::Deserialize)]
    struct SessionQuery {
        sid: String,
    }
    let view = cluster.look(CLUSTERAPP);
    let page = move |Query(asked): Query<SessionQuery>| async move {
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
            // Like any frame, it may be lost.
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
            Event::Inbound(inner) => Event::Inbound(Box::new(TranslatedConnection { inner })),
            other => other,
        };
        if heard.send(event).await.is_err() {
            return;
        }
    }
}

/// Frames of one connection, translated for the core of the next version.
struct TranslatedConnection {
    inner: Box<dyn Incoming>,
}

impl Incoming for TranslatedConnection {
    fn peer(&self) -> &Peer {
        self.inner.peer()
    }

    fn connection(&self) -> usize {
        self.inner.connection()
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
