//! Sessions whose content is in the store only.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::harness::{Browser, Node, Town};
use crate::shelf::Shelf;

fn swapping() -> Town {
    Town::with(|config| {
        config.store.interval = Duration::from_millis(10);
        config.session.swap_idle = Some(Duration::from_secs(1));
    })
}

async fn swapped(node: &Node, sessions: u64) {
    node.until("they are swapped out", |node| node.metric("sessile_sessions_swapped_out") == sessions).await;
}

#[tokio::test]
async fn what_is_idle_leaves_memory_and_comes_back_when_it_is_used() {
    let (one, other) = (Arc::new(Shelf::default()), Arc::new(Shelf::default()));
    let town = swapping();
    let a = town.node_on(&one, "tc01", &[]).await;
    let b = town.node_on(&other, "tc02", &[&a]).await;
    let mut browsers = vec![Browser::default(); 10];
    for (number, browser) in browsers.iter_mut().enumerate() {
        browser.ok(&a, &format!("/set/x/{number}")).await;
    }
    swapped(&a, 10).await;
    swapped(&b, 10).await;
    for (number, browser) in browsers.iter_mut().enumerate() {
        let (first, second) = if number % 2 == 0 { (&a, &b) } else { (&b, &a) };
        assert_eq!(browser.ok(first, "/get/x").await, number.to_string());
        browser.ok(second, "/set/y/1").await;
        assert_eq!(browser.ok(first, "/get/y").await, "1", "written on one, read on the other");
    }
    assert!(a.metric("sessile_fetches_total") > 0);
}

#[tokio::test]
async fn above_the_limit_the_least_recently_used_leave() {
    let shelf = Arc::new(Shelf::default());
    let town = Town::with(|config| config.store.swap_above = Some(5));
    let a = town.node_on(&shelf, "tc01", &[]).await;
    let mut browsers = vec![Browser::default(); 20];
    for browser in &mut browsers {
        browser.ok(&a, "/set/x/1").await;
    }
    swapped(&a, 15).await;
    for browser in &mut browsers {
        assert_eq!(browser.ok(&a, "/get/x").await, "1");
    }
    swapped(&a, 15).await;
}

#[tokio::test]
async fn a_session_in_the_store_expires() {
    let shelf = Arc::new(Shelf::default());
    let town = Town::with(|config| {
        config.session.swap_idle = Some(Duration::from_secs(1));
        config.session.timeout = Duration::from_secs(4);
    });
    let a = town.node_on(&shelf, "tc01", &[]).await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    swapped(&a, 1).await;
    a.until("it expires", |a| a.metric("sessile_sessions_expired_total") == 1).await;
    assert_eq!(browser.ok(&a, "/get/x").await, "");
}

#[tokio::test]
async fn a_store_that_fails_meanwhile_loses_nothing_that_was_swapped_out() {
    let shelf = Arc::new(Shelf::default());
    let town = Town::with(|config| {
        config.session.swap_idle = Some(Duration::from_secs(1));
        config.store.timeout = Duration::from_millis(50);
    });
    let a = town.node_on(&shelf, "tc01", &[]).await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    swapped(&a, 1).await;
    shelf.is_down(true);
    let reply = browser.get_once(&a, "/get/x").await;
    assert_eq!((reply.status, reply.unprocessed), (StatusCode::SERVICE_UNAVAILABLE, true));
    shelf.is_down(false);
    assert_eq!(browser.ok(&a, "/get/x").await, "1");
}
