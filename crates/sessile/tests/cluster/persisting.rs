//! What a store brings back, and what it costs when it fails.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use http::StatusCode;
use sessile::config::{Restore, Save, StoreKind};

use crate::harness::{Browser, Node, Town};
use crate::shelf::Shelf;

const SOON: Duration = Duration::from_secs(10);

/// Nodes with a file store each; `save` is what their application wants.
fn filed(save: Save, restore: Restore) -> Town {
    Town::with(move |config| {
        config.store.kind = Some(StoreKind::File);
        let folder = config.cluster.secret_file.with_file_name(&config.node.name);
        config.store.path = Some(folder);
        config.store.interval = Duration::from_millis(10);
        config.store.restore = restore;
        config.session.save = save;
    })
}

fn shelved(change: impl Fn(&mut sessile::Config) + Send + Sync + 'static) -> Town {
    Town::with(move |config| {
        config.store.interval = Duration::from_millis(10);
        change(config);
    })
}

async fn saved(node: &Node) {
    node.until("everything is saved", |node| node.metric("sessile_store_unsaved") == 0).await;
}

async fn stop(node: Node) {
    node.cluster.drain(SOON).await.unwrap();
    node.cluster.leave().await;
}

#[tokio::test]
async fn a_cluster_that_is_stopped_and_started_has_all_sessions() {
    for save in [Save::Behind, Save::Idle, Save::Stop] {
        let town = filed(save, Restore::All);
        let (a, b) = town.pair().await;
        let mut browsers = vec![Browser::default(); 20];
        for (number, browser) in browsers.iter_mut().enumerate() {
            browser.ok(if number % 2 == 0 { &a } else { &b }, &format!("/set/x/{number}")).await;
        }
        stop(a).await;
        stop(b).await;
        let b = town.node_again("tc02", &[]).await;
        assert_eq!(b.cluster.session_count(), 20, "{save:?}: before anybody asks");
        for (number, browser) in browsers.iter_mut().enumerate() {
            assert_eq!(browser.ok(&b, "/get/x").await, number.to_string());
        }
    }
}

#[tokio::test]
async fn a_session_is_looked_up_before_it_is_declared_absent() {
    let town = filed(Save::Behind, Restore::OnDemand);
    let a = town.node("tc01", &[]).await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    stop(a).await;
    let a = town.node_again("tc01", &[]).await;
    let b = town.node_again("tc02", &[&a]).await;
    assert_eq!(a.cluster.session_count(), 0);
    assert_eq!(browser.ok(&a, "/get/x").await, "1");
    assert_eq!(browser.ok(&b, "/get/x").await, "1", "what was brought back is copied");
}

#[tokio::test]
async fn a_kill_of_everything_loses_nothing_that_was_written_through() {
    let town = filed(Save::Through, Restore::All);
    let (a, b) = town.pair().await;
    let mut browser = Browser::default();
    for round in 0..20 {
        browser.ok(if round % 2 == 0 { &a } else { &b }, &format!("/set/x{round}/{round}")).await;
    }
    drop((a, b));
    let a = town.node_again("tc01", &[]).await;
    let b = town.node_again("tc02", &[&a]).await;
    for node in [&a, &b] {
        for round in 0..20 {
            // What the other node saved comes with the start of that one.
            let (path, wanted) = (format!("/get/x{round}"), round.to_string());
            node.until_answers(&browser, &path, &wanted).await;
        }
    }
}

#[tokio::test]
async fn a_kill_of_everything_loses_what_was_not_saved_and_no_more() {
    let shelf = Arc::new(Shelf::default());
    let town = shelved(|_| ());
    let a = town.node_on(&shelf, "tc01", &[]).await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    saved(&a).await;
    shelf.is_down(true);
    browser.ok(&a, "/set/x/2").await;
    assert_eq!(a.metric("sessile_store_unsaved"), 1, "what a kill would lose is shown");
    drop(a);
    shelf.is_down(false);
    let a = town.node_on(&shelf, "tc01", &[]).await;
    assert_eq!(browser.ok(&a, "/get/x").await, "1");
}

#[tokio::test]
async fn a_logout_is_final_though_everything_is_killed_in_the_next_moment() {
    let shelf = Arc::new(Shelf::default());
    let town = shelved(|config| config.store.interval = Duration::from_secs(3_600));
    let a = town.node_on(&shelf, "tc01", &[]).await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    let before = browser.clone();
    browser.ok(&a, "/logout").await;
    assert_eq!(shelf.holds(), (0, 1), "the end is stored when the answer goes");
    drop(a);
    let a = town.node_on(&shelf, "tc01", &[]).await;
    assert_eq!(before.clone().ok(&a, "/get/x").await, "");
}

#[tokio::test]
async fn members_that_write_at_once_into_one_store_lose_nothing() {
    let shelf = Arc::new(Shelf::default());
    let town = shelved(|_| ());
    let a = town.node_on(&shelf, "tc01", &[]).await;
    let b = town.node_on(&shelf, "tc02", &[&a]).await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/start/0").await;
    for round in 0..10 {
        let (mut one, mut other) = (browser.clone(), browser.clone());
        let (left, right) = (format!("/set/a{round}/{round}"), format!("/set/b{round}/{round}"));
        tokio::join!(one.ok(&a, &left), other.ok(&b, &right));
    }
    saved(&a).await;
    saved(&b).await;
    drop((a, b));
    let c = town.node_on(&shelf, "tc03", &[]).await;
    for round in 0..10 {
        for side in ["a", "b"] {
            assert_eq!(browser.ok(&c, &format!("/get/{side}{round}")).await, round.to_string());
        }
    }
}

#[tokio::test]
async fn a_save_that_meets_a_newer_version_is_merged_with_it() {
    let shelf = Arc::new(Shelf::default());
    let town = shelved(|_| ());
    let a = town.node_on(&shelf, "tc01", &[]).await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/start/0").await;
    saved(&a).await;
    // Another cluster: the two know each other by their store alone.
    let b = town.node_on(&shelf, "tc02", &[]).await;
    for round in 0..5 {
        browser.clone().ok(&b, &format!("/set/b/{round}")).await;
    }
    saved(&b).await;
    browser.clone().ok(&a, "/set/a/1").await;
    saved(&a).await;
    assert!(a.metric("sessile_store_merges_total") > 0);
    assert_eq!(browser.clone().ok(&a, "/get/b").await, "4");
    drop((a, b));
    let c = town.node_on(&shelf, "tc03", &[]).await;
    assert_eq!(browser.clone().ok(&c, "/get/a").await, "1");
    assert_eq!(browser.clone().ok(&c, "/get/b").await, "4");
}

#[tokio::test]
async fn an_end_in_the_store_ends_the_session_elsewhere() {
    let shelf = Arc::new(Shelf::default());
    let town = shelved(|_| ());
    let a = town.node_on(&shelf, "tc01", &[]).await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    saved(&a).await;
    let b = town.node_on(&shelf, "tc02", &[]).await;
    let elsewhere = browser.clone();
    browser.ok(&a, "/logout").await;
    // It does not know of it, and writes: the store tells it.
    elsewhere.clone().ok(&b, "/set/y/1").await;
    b.until("it has ended", |b| b.cluster.session_count() == 0).await;
    assert_eq!(elsewhere.clone().ok(&b, "/get/x").await, "");
    assert_eq!(shelf.holds(), (0, 1));
}

#[tokio::test]
async fn a_store_that_fails_is_shown_and_catches_up() {
    let shelf = Arc::new(Shelf::default());
    let town = shelved(|_| ());
    let a = town.node_on(&shelf, "tc01", &[]).await;
    shelf.is_down(true);
    let mut browsers = vec![Browser::default(); 10];
    for browser in &mut browsers {
        browser.ok(&a, "/set/x/1").await;
    }
    a.until("the failure is shown", |a| a.metric("sessile_store_failing") == 1).await;
    assert!(a.cluster.warnings().iter().any(|warning| warning.contains("the test said so")));
    for browser in &mut browsers {
        assert_eq!(browser.ok(&a, "/get/x").await, "1", "memory serves");
    }
    let left = a.cluster.drain(Duration::ZERO).await.unwrap_err();
    assert_eq!(left.unsaved, 10, "{left}");
    shelf.is_down(false);
    a.cluster.drain(SOON).await.unwrap();
    assert_eq!(shelf.holds(), (10, 0));
    assert_eq!(a.metric("sessile_store_failing"), 0);
}

#[tokio::test]
async fn a_store_that_blocks_blocks_no_request() {
    let shelf = Arc::new(Shelf::default());
    let town = shelved(|_| ());
    let a = town.node_on(&shelf, "tc01", &[]).await;
    let mut browser = Browser::default();
    shelf.block();
    for round in 0..50 {
        browser.ok(&a, &format!("/set/x/{round}")).await;
    }
    assert_eq!(shelf.holds(), (0, 0), "nothing was saved meanwhile");
    shelf.release();
    saved(&a).await;
    assert_eq!(shelf.holds(), (1, 0));
}

#[tokio::test]
async fn a_response_that_waits_for_a_blocked_store_waits_within_bounds_and_says_so() {
    let shelf = Arc::new(Shelf::default());
    let town = shelved(|config| {
        config.session.save = Save::Through;
        config.store.timeout = Duration::from_millis(50);
    });
    let a = town.node_on(&shelf, "tc01", &[]).await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    assert_eq!((shelf.holds(), a.metric("sessile_store_waits_given_up_total")), ((1, 0), 0));
    shelf.block();
    browser.ok(&a, "/logout").await;
    assert_eq!(a.metric("sessile_store_waits_given_up_total"), 1);
    assert_eq!(shelf.holds(), (1, 0));
    shelf.release();
    saved(&a).await;
    assert_eq!(shelf.holds(), (0, 1), "it is saved all the same");
}

#[tokio::test]
async fn without_an_answer_of_the_store_nobody_is_told_that_his_session_is_gone() {
    let shelf = Arc::new(Shelf::default());
    let town = shelved(|config| config.store.restore = Restore::OnDemand);
    let a = town.node_on(&shelf, "tc01", &[]).await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    stop(a).await;
    let a = town.node_on(&shelf, "tc01", &[]).await;
    shelf.is_down(true);
    let reply = browser.get_once(&a, "/get/x").await;
    assert_eq!((reply.status, reply.unprocessed), (StatusCode::SERVICE_UNAVAILABLE, true));
    shelf.is_down(false);
    let before = shelf.loads.load(SeqCst);
    let (mut one, mut other) = (browser.clone(), browser.clone());
    let (first, second) = tokio::join!(one.ok(&a, "/get/x"), other.ok(&a, "/get/x"));
    assert_eq!((first.as_str(), second.as_str()), ("1", "1"));
    assert_eq!(shelf.loads.load(SeqCst), before + 1, "who asks for the same waits for the same load");
}

#[tokio::test]
async fn a_damaged_record_is_counted_and_harms_nobody_else() {
    let shelf = Arc::new(Shelf::default());
    let town = shelved(|config| config.store.restore = Restore::OnDemand);
    let a = town.node_on(&shelf, "tc01", &[]).await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    stop(a).await;
    let a = town.node_on(&shelf, "tc01", &[]).await;
    shelf.damage();
    assert_eq!(browser.ok(&a, "/get/x").await, "");
    assert_eq!(a.metric("sessile_store_damaged_total"), 1);
    browser.ok(&a, "/set/x/2").await;
    assert_eq!(browser.ok(&a, "/get/x").await, "2");
}

#[tokio::test]
async fn sessions_that_stay_on_their_node_are_kept_too() {
    let shelf = Arc::new(Shelf::default());
    let town = shelved(|config| config.cluster.manager = sessile::config::Manager::Local);
    let a = town.node_on(&shelf, "tc01", &[]).await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    stop(a).await;
    let a = town.node_on(&shelf, "tc01", &[]).await;
    assert_eq!(browser.ok(&a, "/get/x").await, "1");
}

#[tokio::test]
async fn an_application_that_does_not_persist_leaves_nothing_in_the_store() {
    let shelf = Arc::new(Shelf::default());
    let town = shelved(|config| config.session.persist = false);
    let a = town.node_on(&shelf, "tc01", &[]).await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    browser.ok(&a, "/logout").await;
    stop(a).await;
    assert_eq!(shelf.holds(), (0, 0));
}

#[tokio::test]
async fn a_request_may_wait_for_the_store_where_others_do_not() {
    let shelf = Arc::new(Shelf::default());
    let town = shelved(|config| config.store.interval = Duration::from_secs(3_600));
    let a = town.node_on(&shelf, "tc01", &[]).await;
    let b = town.node_on(&shelf, "tc02", &[&a]).await;
    let mut browser = Browser::default();
    let usual = browser.get(&a, "/set/x/1").await.receipt.unwrap();
    assert_eq!((usual.to_string().as_str(), shelf.holds()), ("copies=2/2", (0, 0)));
    let through = browser.get(&a, "/through/x/2").await.receipt.unwrap();
    assert_eq!((through.to_string().as_str(), shelf.holds()), ("copies=2/2 stored", (1, 0)));
    drop((a, b));
    let a = town.node_on(&shelf, "tc01", &[]).await;
    assert_eq!(browser.ok(&a, "/get/x").await, "2");
}

#[tokio::test]
async fn the_receipt_says_when_the_store_was_not_waited_for_any_longer() {
    let shelf = Arc::new(Shelf::default());
    let town = shelved(|config| config.store.timeout = Duration::from_millis(50));
    let a = town.node_on(&shelf, "tc01", &[]).await;
    let mut browser = Browser::default();
    shelf.block();
    let given_up = browser.get(&a, "/through/x/1").await.receipt.unwrap();
    assert_eq!((given_up.to_string().as_str(), given_up.stored), ("copies=1/1 not-stored", Some(false)));
    shelf.release();
    saved(&a).await;
    let logout = browser.get(&a, "/logout").await.receipt.unwrap();
    assert_eq!(logout.to_string(), "copies=1/1 stored", "an end waits always");
}

#[tokio::test]
async fn where_nothing_is_stored_the_receipt_does_not_say_it_was() {
    let a = Town::new().node("tc01", &[]).await;
    let mut browser = Browser::default();
    assert_eq!(browser.get(&a, "/through/x/1").await.receipt.unwrap().to_string(), "copies=1/1 not-stored");
    let shelf = Arc::new(Shelf::default());
    let a = shelved(|config| config.session.persist = false).node_on(&shelf, "tc01", &[]).await;
    let mut browser = Browser::default();
    assert_eq!(browser.get(&a, "/through/x/1").await.receipt.unwrap().stored, Some(false));
    assert_eq!(browser.get(&a, "/logout").await.receipt.unwrap().stored, None);
}

#[tokio::test]
async fn a_store_that_does_not_work_is_told_before_a_session_is_to_be_saved() {
    let shelf = Arc::new(Shelf::default());
    shelf.is_down(true);
    let a = shelved(|config| config.store.restore = Restore::OnDemand).node_on(&shelf, "tc01", &[]).await;
    a.until("the failure is shown", |a| a.metric("sessile_store_failing") == 1).await;
}

#[tokio::test]
async fn a_node_starts_though_its_store_does_not_answer() {
    let shelf = Arc::new(Shelf::default());
    shelf.block();
    let a = shelved(|_| ()).node_on(&shelf, "tc01", &[]).await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    shelf.release();
    saved(&a).await;
    assert_eq!(shelf.holds(), (1, 0));
}
