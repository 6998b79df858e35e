//! A process of a test: keeps everything that its channel tells.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use crate::channel::{Channel, Incoming, OpenChannel};
use crate::event::Event;

/// Longest wait for any condition.
pub(super) const LIMIT: Duration = Duration::from_secs(20);
/// How often a condition is looked at.
pub(super) const POLL: Duration = Duration::from_millis(5);

/// An event, without the connection in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Noticed {
    Up(u32),
    Down(u32),
    Gone(u32),
    Inbound(u32),
    /// The frames of this process have come to an end.
    Ended(u32),
    Searched(Vec<u32>),
}

#[derive(Debug, Default)]
struct Seen {
    noticed: Vec<Noticed>,
    frames: HashMap<u32, Vec<Bytes>>,
}

/// One process. Dropping it is a kill.
pub(super) struct Witness {
    pub(super) name: String,
    pub(super) incarnation: u32,
    pub(super) channel: Box<dyn Channel>,
    seen: Arc<Mutex<Seen>>,
    /// Whether it reads what comes.
    reads: watch::Sender<bool>,
    watching: AbortHandle,
}

impl Witness {
    pub(super) fn of(name: &str, incarnation: u32, (channel, mut events): OpenChannel) -> Self {
        let seen = Arc::<Mutex<Seen>>::default();
        let reads = watch::Sender::new(true);
        let (log, may_read) = (Arc::clone(&seen), reads.subscribe());
        let watching = tokio::spawn(async move {
            let mut readers = JoinSet::new();
            while let Some(event) = events.recv().await {
                let noticed = match event {
                    Event::Up(peer) => Noticed::Up(peer.incarnation),
                    Event::Down { incarnation } => Noticed::Down(incarnation),
                    // Whatever is not answered is sent again anyway.
                    Event::FramesLost { .. } | Event::Silent { .. } => continue,
                    Event::Gone { incarnation } => Noticed::Gone(incarnation),
                    Event::Searched { mut reached, .. } => {
                        reached.sort_unstable();
                        Noticed::Searched(reached)
                    }
                    Event::Inbound(incoming) => {
                        let incarnation = incoming.peer().incarnation;
                        readers.spawn(read(incoming, Arc::clone(&log), may_read.clone()));
                        Noticed::Inbound(incarnation)
                    }
                };
                log.lock().noticed.push(noticed);
            }
        });
        Self { name: name.to_owned(), incarnation, channel, seen, reads, watching: watching.abort_handle() }
    }

    pub(super) fn noticed(&self) -> Vec<Noticed> {
        self.seen.lock().noticed.clone()
    }

    pub(super) fn count(&self, wanted: &Noticed) -> usize {
        self.seen.lock().noticed.iter().filter(|noticed| *noticed == wanted).count()
    }

    pub(super) fn frames_from(&self, incarnation: u32) -> Vec<Bytes> {
        self.seen.lock().frames.get(&incarnation).cloned().unwrap_or_default()
    }

    /// The last that was notices of this process is that it is lost.
    pub(super) fn is_lost(&self, incarnation: u32) -> bool {
        let notices = self.noticed().into_iter().rev();
        let last = notices.into_iter().find(|noticed| {
            [Noticed::Up(incarnation), Noticed::Down(incarnation), Noticed::Gone(incarnation)]
                .contains(noticed)
        });
        !matches!(last, Some(Noticed::Up(_)))
    }

    pub(super) fn read_no_more(&self) {
        self.reads.send_replace(false);
    }

    pub(super) fn read_again(&self) {
        self.reads.send_replace(true);
    }

    pub(super) async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !holds(self) {
            assert!(
                Instant::now() < deadline,
                "{} waited {LIMIT:?} for this: {what}; it noticed {:?}",
                self.name,
                self.noticed()
            );
            tokio::time::sleep(POLL).await;
        }
    }

    pub(super) async fn notices(&self, wanted: Noticed) {
        self.until(&format!("{wanted:?}"), |witness| witness.count(&wanted) > 0).await;
    }

    /// Waits until the two can send to and hear each other.
    pub(super) async fn meets(&self, other: &Self) {
        for (one, two) in [(self, other), (other, self)] {
            one.notices(Noticed::Up(two.incarnation)).await;
            one.notices(Noticed::Inbound(two.incarnation)).await;
        }
    }

    /// Waits until the search is over; whom it reached.
    pub(super) async fn searched(&self) -> Vec<u32> {
        let find = |witness: &Self| {
            witness.noticed().into_iter().find_map(|noticed| match noticed {
                Noticed::Searched(reached) => Some(reached),
                _ => None,
            })
        };
        self.until("the end of the search", |witness| find(witness).is_some()).await;
        find(self).unwrap_or_default()
    }

    /// The search is over once; of each process: up, down, and then gone or up again.
    pub(super) fn judge_order(&self) {
        let searches = self.noticed().into_iter().filter(|noticed| matches!(noticed, Noticed::Searched(_)));
        assert!(searches.count() <= 1, "{}: the search is over once", self.name);
        let mut last = HashMap::new();
        for noticed in self.noticed() {
            let (Noticed::Up(incarnation) | Noticed::Down(incarnation) | Noticed::Gone(incarnation)) =
                noticed
            else {
                continue;
            };
            let before = last.insert(incarnation, noticed.clone());
            let fits = match (&before, &noticed) {
                // After a forget it may come up again without a word.
                (_, Noticed::Up(_)) => !matches!(before, Some(Noticed::Gone(_))),
                (Some(Noticed::Up(_)), Noticed::Down(_)) | (Some(Noticed::Down(_)), Noticed::Gone(_)) => true,
                _ => false,
            };
            assert!(fits, "{}: {noticed:?} came after {before:?}", self.name);
        }
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

async fn read(mut incoming: Box<dyn Incoming>, seen: Arc<Mutex<Seen>>, mut may_read: watch::Receiver<bool>) {
    let incarnation = incoming.peer().incarnation;
    let mut batch = Vec::new();
    while may_read.wait_for(|reads| *reads).await.is_ok() && incoming.next_batch(&mut batch).await.is_ok() {
        assert!(!batch.is_empty(), "a batch without a frame");
        seen.lock().frames.entry(incarnation).or_default().append(&mut batch);
    }
    seen.lock().noticed.push(Noticed::Ended(incarnation));
}
