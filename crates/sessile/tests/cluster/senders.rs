//! The sender's modes: what each promises, what it does when members are slow, and that nothing leaks.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use parking_lot::Mutex;
use sessile::SessionKey;
use sessile::config::{Mode, QueueFull, Sender};
use sessile::events::Event;
use tokio::task::{JoinHandle, JoinSet};

use crate::harness::{Browser, Node, Reply, Town};
use crate::road::{LARGE, Road};

/// Nodes whose sender is changed, and that are patient with a slow road.
fn town(change: impl Fn(&mut Sender) + Send + Sync + 'static) -> Town {
    Town::with(move |config| {
        config.sender.ack_timeout = Duration::from_secs(10);
        change(&mut config.sender);
    })
}

fn pooled(size: u16) -> Town {
    town(move |sender| (sender.mode, sender.pool_size) = (Mode::Pooled, size))
}

/// A session on `a`, and its key.
async fn visitor(a: &Node) -> (Browser, SessionKey) {
    let known = a.cluster.sessions(None, usize::MAX);
    let mut browser = Browser::default();
    browser.ok(a, "/set/x/1").await;
    let new = |a: &Node| {
        let now = a.cluster.sessions(None, usize::MAX).into_iter();
        now.map(|session| session.key).find(|key| known.iter().all(|before| before.key != *key))
    };
    (browser, new(a).expect("the new session"))
}

/// Two sessions whose changes have no order among each other.
async fn two_visitors(a: &Node) -> (Browser, Browser) {
    let (one, key) = visitor(a).await;
    loop {
        let (other, its_key) = visitor(a).await;
        if its_key.shard() != key.shard() {
            return (one, other);
        }
    }
}

/// Opens connections of the pool by using them at the same time.
async fn open_connections(a: &Node, wanted: u64) {
    let (mut one, mut other) = two_visitors(a).await;
    while a.metric("sessile_commit_connections_open") < wanted {
        tokio::join!(one.ok(a, "/set/x/2"), other.ok(a, "/set/x/2"));
    }
}

fn large(a: &Node, browser: &Browser) -> JoinHandle<Reply> {
    let (a, mut browser) = (a.clone(), browser.clone());
    tokio::spawn(async move { browser.get(&a, &format!("/large/y/{LARGE}")).await })
}

/// Waits until the large change is on its way and cannot arrive.
async fn on_its_way(a: &Node) {
    let unconfirmed = |a: &Node| a.cluster.members().iter().any(|b| b.unconfirmed_bytes >= LARGE as u64);
    a.until("the large change on its way", unconfirmed).await;
}

#[tokio::test]
async fn a_small_session_does_not_wait_for_a_large_one_in_pooled_mode() {
    let (a, b, road) = Road::between_two(&pooled(2)).await;
    open_connections(&a, 2).await;
    let (slow, mut quick) = two_visitors(&a).await;
    let large = large(&a, &slow);
    on_its_way(&a).await;
    for round in 0..5 {
        let reply = quick.get(&a, &format!("/set/x/{round}")).await;
        assert_eq!(reply.receipt.unwrap().copies, 2, "{reply:?}");
        assert_eq!(quick.ok(&b, "/get/x").await, round.to_string());
    }
    assert!(!large.is_finished(), "it is still on its way");
    road.release();
    assert_eq!(large.await.unwrap().receipt.unwrap().copies, 2);
    assert_eq!(slow.clone().ok(&b, "/get/y").await.len(), LARGE);
    assert_eq!(a.metric("sessile_resends_total"), 0, "frames that overtook others were put into order");
}

#[tokio::test]
async fn one_commit_at_a_time_in_sync_mode_and_a_bounded_wait_for_the_next() {
    let town = town(|sender| {
        sender.mode = Mode::Sync;
        sender.max_wait = Duration::from_millis(20);
    });
    let (a, b, road) = Road::between_two(&town).await;
    let (slow, mut other) = two_visitors(&a).await;
    let large = large(&a, &slow);
    on_its_way(&a).await;

    let refused = other.get(&a, "/set/x/2").await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.retry_after && !refused.body.contains("max_wait"), "{refused:?}");
    assert!(Browser::default().get(&a, "/set/x/2").await.cookie.is_none(), "no session was made");
    assert_eq!(a.metric("sessile_commits_refused_total"), 2);
    assert_eq!(other.ok(&a, "/get/x").await, "1", "nothing of it happened");

    let (gone, a_too) = (other.clone(), a.clone());
    let logout = tokio::spawn(async move { gone.clone().get(&a_too, "/logout").await });
    a.until("the end is not refused", |a| a.metric("sessile_sessions_invalidated_total") == 1).await;
    road.release();
    assert_eq!(logout.await.unwrap().status, StatusCode::OK);
    assert_eq!(large.await.unwrap().status, StatusCode::OK);
    assert_eq!(other.ok(&b, "/get/x").await, "");
    assert_eq!(
        (a.metric("sessile_commit_connections_opened_total"), a.metric("sessile_commit_connections_free")),
        (0, 1)
    );
}

#[tokio::test]
async fn a_client_that_hangs_up_leaks_no_connection() {
    let (a, b, road) = Road::between_two(&pooled(2)).await;
    open_connections(&a, 2).await;
    let ((one, other), (waiting, _)) = (two_visitors(&a).await, visitor(&a).await);
    let (first, second) = (large(&a, &one), large(&a, &other));
    a.until("no connection left", |a| a.metric("sessile_commit_connections_free") == 0).await;
    let third = large(&a, &waiting);
    a.until("the third one waits", |a| a.metric("sessile_commits_delayed_total") == 1).await;
    for request in [&first, &second, &third] {
        request.abort();
    }
    assert!(first.await.is_err() && second.await.is_err() && third.await.is_err());
    assert_eq!(a.metric("sessile_commit_connections_free"), 0, "the commits that began go on");
    road.release();
    a.until("all connections back", |a| a.metric("sessile_commit_connections_free") == 2).await;
    for mut browser in [one, other] {
        assert_eq!(browser.ok(&b, "/get/y").await.len(), LARGE, "a commit that began runs to its end");
    }
    assert_eq!(waiting.clone().ok(&b, "/get/y").await, "", "one that did not leaves nothing");
}

#[tokio::test]
async fn the_connections_of_the_pool_are_used_again_and_closed_when_idle() {
    let town = town(|sender| {
        (sender.mode, sender.pool_size) = (Mode::Pooled, 4);
        sender.keep_alive = Duration::from_secs(1);
    });
    let (a, b) = town.pair().await;
    let (mut browser, _) = visitor(&a).await;
    while a.metric("sessile_commit_connections_open") == 0 {
        browser.ok(&a, "/set/x/2").await;
    }
    for round in 0..50 {
        browser.ok(&a, &format!("/set/x/{round}")).await;
    }
    assert_eq!(browser.ok(&b, "/get/x").await, "49");
    assert_eq!(
        a.metric("sessile_commit_connections_opened_total"),
        1,
        "one commit at a time needs one connection"
    );
    a.until("no idle connection", |a| a.metric("sessile_commit_connections_open") == 0).await;
    assert_eq!(browser.get(&a, "/set/x/again").await.receipt.unwrap().copies, 2);
}

/// A member that lets asynchronous changes pile up: one large one is enough.
fn piling_up(queue_full: QueueFull) -> Town {
    Town::with(move |config| {
        config.sender.mode = Mode::Async;
        config.sender.ack_timeout = Duration::from_secs(10);
        config.sender.queue_full = queue_full;
        config.sender.max_wait = Duration::from_millis(50);
        config.sender.queue_bytes = 3 * LARGE;
        config.session.max_attribute_bytes = 3 * LARGE / 2;
        config.session.max_session_bytes = 3 * LARGE / 2;
    })
}

#[tokio::test]
async fn a_full_queue_refuses_when_it_is_told_to() {
    let (a, b, road) = Road::between_two(&piling_up(QueueFull::Refuse)).await;
    let (mut browser, _) = visitor(&a).await;
    assert!(browser.get(&a, &format!("/large/y/{LARGE}")).await.receipt.unwrap().unconfirmed_for.is_some());
    let refused = browser.get(&a, "/set/x/2").await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.retry_after, "{refused:?}");
    assert_eq!(browser.ok(&a, "/get/x").await, "1", "nothing of it happened");
    assert_eq!(a.metric("sessile_commits_refused_total"), 1);
    road.release();
    a.until("room", |a| a.cluster.members().iter().all(|member| member.unconfirmed_bytes == 0)).await;
    browser.ok(&a, "/set/x/2").await;
    b.until("the copy", |b| b.cluster.session_count() == 1).await;
}

#[tokio::test]
async fn a_full_queue_makes_commits_synchronous_when_it_is_told_to() {
    let (a, b, road) = Road::between_two(&piling_up(QueueFull::Sync)).await;
    let (mut browser, _) = visitor(&a).await;
    browser.ok(&a, &format!("/large/y/{LARGE}")).await;
    let (node, mut waiting) = (a.clone(), browser.clone());
    let waits = tokio::spawn(async move { waiting.get(&node, "/set/x/2").await });
    a.until("a commit that waits", |a| a.metric("sessile_commits_made_synchronous_total") == 1).await;
    assert!(!waits.is_finished());
    road.release();
    let receipt = waits.await.unwrap().receipt.unwrap();
    assert_eq!((receipt.copies, receipt.unconfirmed_for), (2, None));
    assert_eq!(browser.ok(&b, "/get/x").await, "2");
}

#[tokio::test]
async fn a_full_queue_holds_commits_up_for_a_bounded_time_and_loses_none() {
    let (a, b, road) = Road::between_two(&piling_up(QueueFull::Block)).await;
    let (mut browser, _) = visitor(&a).await;
    browser.ok(&a, &format!("/large/y/{LARGE}")).await;
    browser.ok(&a, "/set/x/2").await;
    assert_eq!(a.metric("sessile_commits_delayed_total"), 1);
    road.release();
    a.until("nothing owed", |a| a.cluster.members().iter().all(|member| member.unconfirmed_bytes == 0)).await;
    assert_eq!(browser.ok(&b, "/get/x").await, "2");
}

#[tokio::test]
async fn a_missing_acknowledgement_is_told_with_its_member() {
    let town = Town::with(|config| config.sender.ack_timeout = Duration::from_millis(50));
    let (a, b, road) = Road::between_two(&town).await;
    let (browser, _) = visitor(&a).await;
    let mut events = a.cluster.events();
    let large = large(&a, &browser);
    let late = async {
        loop {
            if let Event::AckLate { by, .. } = events.recv().await.unwrap() {
                return by;
            }
        }
    };
    let by = tokio::time::timeout(Duration::from_secs(20), late).await.expect("told");
    assert_eq!(by, b.cluster.members()[0].incarnation);
    let metrics = a.cluster.metrics();
    assert!(metrics.contains("sessile_acks_late_total{member=\"tc02\"}"), "{metrics}");
    road.release();
    assert_eq!(large.await.unwrap().receipt.unwrap().copies, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn in_every_synchronous_mode_the_last_confirmed_write_survives_a_crash_under_load() {
    for mode in [Mode::Pooled, Mode::Sync, Mode::Pipelined] {
        let (a, b) = town(move |sender| (sender.mode, sender.pool_size) = (mode, 3)).pair().await;
        let progress: Vec<_> = (0..8).map(|_| Arc::default()).collect();
        let mut writers = JoinSet::new();
        for progress in &progress {
            writers.spawn(count(a.clone(), Arc::clone(progress)));
        }
        let is_loaded = || progress.iter().all(|progress: &Progress| progress.lock().1 > 50);
        a.until("load", |_| is_loaded()).await;
        // In the middle of what they do, and without a goodbye.
        writers.shutdown().await;
        drop(a);
        for progress in progress {
            let (mut browser, confirmed) = progress.lock().clone();
            let found: u32 = browser.ok(&b, "/get/n").await.parse().unwrap();
            assert!((confirmed..=confirmed + 1).contains(&found), "{mode:?}: {found} after {confirmed}");
        }
    }
}

/// A browser, and the last number that was confirmed to it.
type Progress = Arc<Mutex<(Browser, u32)>>;

/// Counts in a session of its own.
async fn count(node: Node, progress: Progress) {
    loop {
        let (mut browser, confirmed) = progress.lock().clone();
        let reply = browser.get(&node, &format!("/set/n/{}", confirmed + 1)).await;
        assert_eq!(reply.receipt.unwrap().copies, 2, "{reply:?}");
        *progress.lock() = (browser, confirmed + 1);
    }
}

#[test]
fn a_busy_application_does_not_hold_up_replication_with_workers() {
    let town = Town::with(|config| config.receiver.workers = Some(1));
    let config = town.config("tc01", &[]);
    let (joined, address) = std::sync::mpsc::channel();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let application = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let a = Node::join(config).await;
            joined.send(a.clone()).unwrap();
            // The only thread of the application's runtime does nothing else.
            held.recv().unwrap();
            a.cluster.leave().await;
        });
    });
    let a = address.recv().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let b = town.node("tc02", &[&a]).await;
        let mut browser = Browser::default();
        for round in 0..20 {
            let reply = browser.get(&b, &format!("/set/x/{round}")).await;
            assert_eq!(reply.receipt.unwrap().copies, 2, "{reply:?}");
        }
        assert_eq!(a.cluster.session_count(), 1);
        release.send(()).unwrap();
        b.until("a alone", |b| b.sees().len() == 1).await;
        // Dropped within a runtime, with its own inside.
        drop((a, b));
    });
    application.join().unwrap();
}
