//! A node is lost, and nothing else.

use std::time::Duration;

use crate::harness::{Browser, Town};
use crate::road::Road;

async fn the_others_go_on_after_a_crash() {
    let (a, b) = Town::new().pair().await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    let mut events = b.cluster.events();
    drop(a);
    // At once: its closed port proves that it is gone, no matter how long the drop time is.
    assert_eq!(browser.ok(&b, "/get/x").await, "1");
    let reply = browser.get(&b, "/set/x/2").await;
    assert_eq!(browser.ok(&b, "/get/x").await, "2");
    b.until("the removal", |b| b.sees() == ["tc02"]).await;
    assert!(reply.receipt.unwrap().copies <= 2);
    let degraded = browser.get(&b, "/set/x/3").await.receipt.unwrap();
    assert_eq!((degraded.copies, degraded.wanted), (1, 2), "one copy is fewer than there were");
    assert_eq!(b.cluster.at_risk(), 1);
    let mut words = Vec::new();
    while let Ok(event) = events.try_recv() {
        words.push(format!("{event:?}"));
    }
    assert!(words.iter().any(|word| word.contains("MemberRemoved") && word.contains("Gone")), "{words:?}");
}

#[tokio::test]
async fn a_crash_is_survived_on_one_thread() {
    the_others_go_on_after_a_crash().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crash_is_survived_on_many_threads() {
    the_others_go_on_after_a_crash().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_comes_back_under_its_name() {
    let town = Town::new();
    let (a, b) = town.pair().await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    drop(a);
    browser.ok(&b, "/set/x/2").await;
    let a = town.node("tc01", &[&b]).await;
    assert_eq!(browser.ok(&a, "/get/x").await, "2");
    let receipt = browser.get(&a, "/set/x/3").await.receipt.unwrap();
    assert_eq!((receipt.copies, receipt.wanted), (2, 2));
}

#[tokio::test]
async fn changes_of_a_process_that_died_are_read_to_the_end() {
    let town = Town::with(|config| config.sender.mode = sessile::config::Mode::Async);
    let (a, b) = town.pair().await;
    let mut browsers = vec![Browser::default(); 50];
    for browser in &mut browsers {
        browser.ok(&a, "/set/x/1").await;
    }
    a.until("everything is sent", |a| {
        a.cluster.metrics().contains("sessile_queue_bytes{member=\"tc02\"} 0\n")
    })
    .await;
    drop(a);
    b.until("the removal", |b| b.sees() == ["tc02"]).await;
    for browser in &mut browsers {
        assert_eq!(browser.ok(&b, "/get/x").await, "1");
    }
}

/// As when a firewall forgot it: TCP takes everything, and nobody ever hears it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_connection_that_carries_nothing_any_more_is_made_anew() {
    let town = Town::with(|config| config.membership.drop_time = Duration::from_secs(2));
    let (a, b, road) = Road::between_two(&town).await;
    road.release();
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    road.deafen();
    // Both are of one mind at last, whoever went on meanwhile; nothing else is mended by anybody.
    a.until("b was removed", |a| a.sees() == ["tc01"] || b.sees() == ["tc02"]).await;
    a.until("a sees b again", |a| a.sees() == ["tc01", "tc02"]).await;
    b.until("b sees a again", |b| b.sees() == ["tc01", "tc02"]).await;
    let receipt = browser.get(&a, "/set/x/2").await.receipt.unwrap();
    assert_eq!((receipt.copies, receipt.wanted), (2, 2));
    assert_eq!(browser.ok(&b, "/get/x").await, "2");
}
