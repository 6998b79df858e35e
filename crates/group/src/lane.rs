//! Further links to one process beside its first: opened on first use, used again, closed when nobody used them.
//!
//! A frame for a lane that is not open goes over lane 0, the link that the roster keeps, and has the lane opened for
//! those that follow. So no frame ever waits for a connection, and a lane that fails costs nothing but its use.
//! Whether a process is there, and proven gone, is told by lane 0 alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::AcqRel, Ordering::Release};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use crate::contact::Contact;
use crate::event::Event;
use crate::handshake::{Met, dial};
use crate::link::{self, End};
use crate::node::Node;
use crate::outbox::Outbox;
use crate::wire::Wire;

/// Most lanes to one process, lane 0 not counted, and most that are accepted from one.
pub const LANES_MAX: usize = 256;
/// Lanes that wait to be opened; when they are more, a later frame asks again.
pub(crate) const WANTED_MAX: usize = 256;
/// Lanes that are dialed at once: below what the other side lets one source have under way.
const DIALS_MAX: usize = 4;
/// How long a lane stays closed after it failed or was lost.
const PAUSE: Duration = Duration::from_secs(1);

/// One further link to a process.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) outbox: Outbox,
    /// A task opens it, writes to it, or lets it rest after a failure.
    busy: AtomicBool,
}

/// A lane that a frame asked for.
#[derive(Debug)]
pub(crate) struct Wanted {
    contact: Arc<Contact>,
    lane: usize,
}

impl Lane {
    pub(crate) fn new(to: u32, queue_bytes: usize) -> Self {
        Self { outbox: Outbox::new(to, queue_bytes), busy: AtomicBool::new(false) }
    }
}

/// Asks for a lane of `contact`, unless somebody did. Rule 1.4.
pub(crate) fn want(contact: &Arc<Contact>, lane: usize, wanted: &mpsc::Sender<Wanted>) {
    let Some(further) = contact.lane(lane) else { return };
    if further.busy.swap(true, AcqRel) {
        return;
    }
    if wanted.try_send(Wanted { contact: contact.clone(), lane }).is_err() {
        further.busy.store(false, Release);
    }
}

/// Opens lanes as they are wanted, until `stopped`; then finishes those that are open. Rule 1.4.
pub(crate) async fn open_wanted(
    node: Arc<Node>,
    mut wanted: mpsc::Receiver<Wanted>,
    stopped: watch::Receiver<bool>,
) {
    let mut lanes = JoinSet::new();
    let dials = Arc::new(Semaphore::new(DIALS_MAX));
    let mut stop = stopped.clone();
    loop {
        tokio::select! {
            _ = stop.wait_for(|stopped| *stopped) => break,
            Some(wanted) = wanted.recv() => {
                lanes.spawn(serve(node.clone(), wanted, dials.clone(), stopped.clone()));
            }
            Some(done) = lanes.join_next() => {
                if let Err(error) = done {
                    tracing::error!(%error, "a lane failed by a fault of this program");
                }
            }
        }
    }
    while lanes.join_next().await.is_some() {}
}

/// The life of one lane, from its opening to its end.
async fn serve(
    node: Arc<Node>,
    Wanted { contact, lane }: Wanted,
    dials: Arc<Semaphore>,
    mut stopped: watch::Receiver<bool>,
) {
    let Some(further) = contact.lane(lane) else { return };
    let mut cut = contact.cut();
    let finished = tokio::select! {
        biased;
        _ = cut.wait_for(|cut| *cut) => true,
        finished = carry(&node, &contact, lane, &dials, stopped.clone()) => finished,
    };
    further.outbox.close();
    if !finished {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            _ = cut.wait_for(|cut| *cut) => {}
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
    }
    further.busy.store(false, Release);
}

/// Opens the lane and writes to it; says whether it ended in order.
async fn carry(
    node: &Arc<Node>,
    contact: &Arc<Contact>,
    lane: usize,
    dials: &Semaphore,
    mut stopped: watch::Receiver<bool>,
) -> bool {
    let Some(wire) = connect(node, contact, lane, dials).await else {
        node.counts.lanes_failed.up();
        return false;
    };
    let Some(further) = contact.lane(lane) else { return true };
    further.outbox.open();
    node.counts.lanes_opened.up();
    let finish = async {
        let _ = stopped.wait_for(|stopped| *stopped).await;
        further.outbox.finish();
        std::future::pending::<()>().await;
    };
    let end = tokio::select! {
        end = link::run(node.clone(), contact.clone(), lane, wire) => end,
        () = finish => End::Finished,
    };
    match end {
        End::Finished => node.counts.lanes_closed.up(),
        End::Lost => {
            node.counts.lanes_lost.up();
            // Closed first: what is taken after the owner has learned of the loss is not lost with it.
            further.outbox.close();
            let _ = node.events.send(Event::FramesLost { incarnation: contact.peer.incarnation }).await;
        }
    }
    end == End::Finished
}

/// A connection with the very process that `contact` is.
async fn connect(node: &Node, contact: &Contact, lane: usize, dials: &Semaphore) -> Option<Wire> {
    let _dialing = dials.acquire().await.ok()?;
    match dial(node, contact.peer.address, lane).await {
        Ok(Met::Member(peer, wire)) if peer.incarnation == contact.peer.incarnation => Some(wire),
        Ok(_) => None,
        Err(error) => {
            tracing::debug!(peer = contact.peer.name, lane, ?error, "a lane could not be opened");
            None
        }
    }
}
