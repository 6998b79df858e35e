//! Those who are told what happens to the sessions of one node.
//!
//! What the core applied arrives here on whatever thread applied it, perhaps two of them in the wrong order:
//! it is put back into order and handed to one thread, which calls the listeners. So a listener holds up no
//! request and no frame, and its panic hurts nothing. Nothing is dropped: a node whose listeners are too far
//! behind takes no more work until they have caught up.
//!
//! Must not know: what a notice means. [`listen`](super::listen) has the words for the application.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use parking_lot::Mutex;
use sessile_core::{Node, Notice};
use tokio::sync::Notify;
use tokio::time::timeout;

/// A node whose listeners are this many notices behind takes no request and no frame until they have caught
/// up. What comes of work that it took before is on top of that.
const BEHIND_MAX: u64 = 65_536;

/// How often who waits for listeners looks again, should nobody have told it.
const POLL: Duration = Duration::from_millis(50);

/// How long a node that leaves waits until its listeners know everything.
const LAST_NOTICES: Duration = Duration::from_secs(10);

/// Called for every notice, always on the same thread.
pub(super) type Call = dyn Fn(&Notice) + Send + Sync;

/// The listeners of one node.
#[derive(Default)]
pub(crate) struct Listeners {
    intake: Mutex<Intake>,
    shared: Arc<Shared>,
}

/// Where notices come in.
#[derive(Default)]
struct Intake {
    parts: HashMap<u8, Part>,
    /// To the thread that calls; it starts with the first listener and ends with the node.
    out: Option<Sender<Notice>>,
}

/// The notices of one part of the sessions.
#[derive(Default)]
struct Part {
    next: u64,
    /// Notices that are ahead of `next`: at most as many as other threads are about to hand in.
    early: BTreeMap<u64, Notice>,
}

/// What the thread that calls has in common with those who hand in or wait.
#[derive(Default)]
struct Shared {
    calls: Mutex<Vec<(u64, Arc<Call>)>>,
    added: AtomicU64,
    /// Notices that were handed to the thread and not told to all yet.
    waiting: AtomicU64,
    is_behind: AtomicBool,
    panics: AtomicU64,
    moved: Notify,
}

impl Listeners {
    /// One more listener to `node`; gives the number to [`remove`](Self::remove) it by.
    pub(super) fn add(&self, call: Arc<Call>, node: &Node) -> u64 {
        self.intake.lock().out.get_or_insert_with(|| start_thread(Arc::clone(&self.shared)));
        let number = self.shared.added.fetch_add(1, Relaxed);
        let mut calls = self.shared.calls.lock();
        calls.push((number, call));
        // Under the lock, so that nobody who goes at the same time has the last word.
        node.listen(true);
        number
    }

    /// That listener goes. With the last one `node` stops telling.
    pub(super) fn remove(&self, number: u64, node: &Node) {
        let mut calls = self.shared.calls.lock();
        calls.retain(|(known, _)| *known != number);
        node.listen(!calls.is_empty());
    }

    /// Tells `notice`, which is number `sequence` of its part, once all before it have been handed in.
    pub(super) fn tell(&self, part: u8, sequence: u64, notice: Notice) {
        let mut intake = self.intake.lock();
        let Intake { parts, out } = &mut *intake;
        let part = parts.entry(part).or_default();
        part.early.insert(sequence, notice);
        while let Some(notice) = part.early.remove(&part.next) {
            part.next += 1;
            self.shared.waiting.fetch_add(1, Relaxed);
            if out.as_ref().is_none_or(|out| out.send(notice).is_err()) {
                self.shared.waiting.fetch_sub(1, Relaxed);
            }
        }
    }

    /// Waits while the listeners are too far behind.
    pub(crate) async fn caught_up(&self) {
        if self.waiting() < BEHIND_MAX {
            return;
        }
        if !self.shared.is_behind.swap(true, Relaxed) {
            tracing::warn!(
                "listeners are {BEHIND_MAX} notifications behind: this node takes no more work until they catch up"
            );
        }
        self.until(|waiting| waiting < BEHIND_MAX).await;
        if self.shared.is_behind.swap(false, Relaxed) {
            tracing::info!("listeners have caught up");
        }
    }

    /// Waits until everything that happened so far was told, for a while.
    pub(super) async fn everything_notified(&self) {
        if timeout(LAST_NOTICES, self.until(|waiting| waiting == 0)).await.is_err() {
            tracing::warn!("leaving though listeners have not heard {} notifications yet", self.waiting());
        }
    }

    /// Notices that listeners have not heard yet.
    pub(super) fn waiting(&self) -> u64 {
        self.shared.waiting.load(Relaxed)
    }

    /// Calls that ended in a panic.
    pub(super) fn panics(&self) -> u64 {
        self.shared.panics.load(Relaxed)
    }

    async fn until(&self, reached: impl Fn(u64) -> bool) {
        while !reached(self.waiting()) {
            let _ = timeout(POLL, self.shared.moved.notified()).await;
        }
    }
}

fn start_thread(shared: Arc<Shared>) -> Sender<Notice> {
    let (out, notices) = channel();
    let thread = std::thread::Builder::new().name("sessile-listeners".to_owned());
    thread
        .spawn(move || call_all(&shared, &notices))
        .expect("the system lets a process start one more thread");
    out
}

/// Until the node is gone, and then what is left.
fn call_all(shared: &Shared, notices: &Receiver<Notice>) {
    for notice in notices {
        let calls: Vec<_> = shared.calls.lock().iter().map(|(_, call)| Arc::clone(call)).collect();
        for call in calls {
            if catch_unwind(AssertUnwindSafe(|| call(&notice))).is_err() {
                shared.panics.fetch_add(1, Relaxed);
                tracing::error!(key = %notice.key, change = ?notice.change, "a listener panicked; it will be told what follows");
            }
        }
        let before = shared.waiting.fetch_sub(1, Relaxed);
        if before == BEHIND_MAX || before == 1 {
            shared.moved.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use sessile_core::{AppId, Incarnation, Instant, SessionChange, SessionKey, Settings};

    use super::*;

    fn notice(number: u64) -> Notice {
        let (key, change) = (SessionKey([1; 16]), SessionChange::Created);
        Notice { key, app: AppId(1), change, event_id: number, remote: false }
    }

    fn node() -> Node {
        let settings = Settings::new(Incarnation(1), "tc01");
        Node::alone(settings, Instant::ORIGIN)
    }

    /// Where a listener puts what it hears.
    fn heard() -> (Arc<Call>, Receiver<u64>) {
        let (out, heard) = channel();
        (Arc::new(move |notice: &Notice| out.send(notice.event_id).unwrap()), heard)
    }

    #[test]
    fn the_order_of_a_part_is_kept_though_threads_overtake_each_other() {
        let (listeners, (call, heard)) = (Listeners::default(), heard());
        listeners.add(call, &node());
        for sequence in [2, 0, 3, 1] {
            listeners.tell(5, sequence, notice(sequence));
        }
        listeners.tell(6, 0, notice(60));
        drop(listeners);
        assert_eq!(heard.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 60], "the end of the node is no end of it");
    }

    #[test]
    fn a_panic_is_counted_and_hurts_nobody() {
        let (listeners, (call, heard)) = (Listeners::default(), heard());
        listeners.add(Arc::new(|notice| assert!(notice.event_id != 1, "a planted fault")), &node());
        listeners.add(call, &node());
        (0..3).for_each(|sequence| listeners.tell(0, sequence, notice(sequence)));
        assert_eq!(heard.iter().take(3).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(listeners.panics(), 1);
    }

    #[tokio::test]
    async fn who_is_too_far_behind_is_waited_for() {
        let (listeners, (release, released)) = (Listeners::default(), channel::<()>());
        let released = Mutex::new(released);
        listeners.add(Arc::new(move |_| assert!(released.lock().recv().is_err())), &node());
        (0..BEHIND_MAX).for_each(|sequence| listeners.tell(0, sequence, notice(sequence)));
        let mut waiting = std::pin::pin!(listeners.caught_up());
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(release);
        waiting.await;
        listeners.everything_notified().await;
        assert_eq!(listeners.waiting(), 0);
    }
}
