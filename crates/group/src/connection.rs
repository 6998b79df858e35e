//! Further connections to one process beside its link: opened on first use, used again, closed when nobody
//! uses them.
//!
//! A frame for a further connection that is not open goes over connection 0, the link that the dialer keeps,
//! and has the connection opened for the frames that follow. So no frame ever waits for a connection, and a
//! further connection that fails costs nothing but its use. Whether a process is there, and proven gone, is
//! told by connection 0 alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::AcqRel, Ordering::Release};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use crate::contact::Contact;
use crate::event::Event;
use crate::group_state::GroupState;
use crate::handshake::{Met, dial};
use crate::link::{self, End};
use crate::outbox::Outbox;
use crate::wire::Wire;

/// Most connections to one process, connection 0 not counted, and most that are accepted from one.
pub const CONNECTIONS_MAX: usize = 256;
/// Connections that wait to be opened; when they are more, a later frame asks again.
pub(crate) const WANTED_MAX: usize = 256;
/// Connections that are dialed at once: below what the other side lets one source have under way.
const DIALS_MAX: usize = 4;
/// How long a further connection stays closed after it failed or was lost.
const PAUSE: Duration = Duration::from_secs(1);

/// One further link to a process.
#[derive(Debug)]
pub(crate) struct FurtherConnection {
    pub(crate) outbox: Outbox,
    /// A task opens it, writes to it, or lets it rest after a failure.
    busy: AtomicBool,
}

/// A connection that a frame asked for.
#[derive(Debug)]
pub(crate) struct Wanted {
    contact: Arc<Contact>,
    connection: usize,
}

impl FurtherConnection {
    pub(crate) fn new(to: u32, queue_bytes: usize) -> Self {
        Self { outbox: Outbox::new(to, queue_bytes), busy: AtomicBool::new(false) }
    }
}

/// Asks for a further connection of `contact`, unless somebody did. Rule 1.4.
pub(crate) fn want(contact: &Arc<Contact>, connection: usize, wanted: &mpsc::Sender<Wanted>) {
    let Some(further) = contact.connection(connection) else { return };
    if further.busy.swap(true, AcqRel) {
        return;
    }
    if wanted.try_send(Wanted { contact: contact.clone(), connection }).is_err() {
        further.busy.store(false, Release);
    }
}

/// Opens connections as they are wanted, until `stopped`; then finishes those that are open. Rule 1.4.
pub(crate) async fn open_wanted(
    node: Arc<GroupState>,
    mut wanted: mpsc::Receiver<Wanted>,
    stopped: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    let dials = Arc::new(Semaphore::new(DIALS_MAX));
    let mut stop = stopped.clone();
    loop {
        tokio::select! {
            _ = stop.wait_for(|stopped| *stopped) => break,
            Some(wanted) = wanted.recv() => {
                connections.spawn(serve(node.clone(), wanted, dials.clone(), stopped.clone()));
            }
            Some(done) = connections.join_next() => {
                if let Err(error) = done {
                    tracing::error!(%error, "a connection failed by a fault of this program");
                }
            }
        }
    }
    while connections.join_next().await.is_some() {}
}

/// The life of one connection, from its opening to its end.
async fn serve(
    node: Arc<GroupState>,
    Wanted { contact, connection }: Wanted,
    dials: Arc<Semaphore>,
    mut stopped: watch::Receiver<bool>,
) {
    let Some(further) = contact.connection(connection) else { return };
    let mut cut = contact.cut();
    let finished = tokio::select! {
        biased;
        _ = cut.wait_for(|cut| *cut) => true,
        finished = carry(&node, &contact, connection, &dials, stopped.clone()) => finished,
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

/// Opens the connection and writes to it; says whether it ended in order.
async fn carry(
    node: &Arc<GroupState>,
    contact: &Arc<Contact>,
    connection: usize,
    dials: &Semaphore,
    mut stopped: watch::Receiver<bool>,
) -> bool {
    let Some(wire) = connect(node, contact, connection, dials).await else {
        node.counts.connections_failed.up();
        return false;
    };
    let Some(further) = contact.connection(connection) else { return true };
    further.outbox.open();
    node.counts.connections_opened.up();
    let finish = async {
        let _ = stopped.wait_for(|stopped| *stopped).await;
        further.outbox.finish();
        std::future::pending::<()>().await;
    };
    let end = tokio::select! {
        end = link::run(node.clone(), contact.clone(), connection, wire) => end,
        () = finish => End::Finished,
    };
    match end {
        End::Finished => node.counts.connections_closed.up(),
        End::Lost => {
            node.counts.connections_lost.up();
            // Closed first: what is taken after the owner has learned of the loss is not lost with it.
            further.outbox.close();
            let _ = node.events.send(Event::FramesLost { incarnation: contact.peer.incarnation }).await;
        }
    }
    end == End::Finished
}

/// A connection with the very process that `contact` is.
async fn connect(node: &GroupState, contact: &Contact, connection: usize, dials: &Semaphore) -> Option<Wire> {
    let _dialing = dials.acquire().await.ok()?;
    match dial(node, contact.peer.address, connection).await {
        Ok(Met::Member(peer, wire)) if peer.incarnation == contact.peer.incarnation => Some(wire),
        Ok(_) => None,
        Err(error) => {
            tracing::debug!(peer = contact.peer.name, connection, ?error, "a connection could not be opened");
            None
        }
    }
}
