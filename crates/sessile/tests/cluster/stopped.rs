//! A process that is stopped and goes on later: it delays others once, and never answers from old memory.

use std::time::Duration;

use sessile::NodeState;

use crate::apart::Apart;
use crate::harness::{Browser, Town};

fn town() -> Town {
    Town::with(|config| {
        config.membership.frequency = Duration::from_millis(250);
        config.membership.drop_time = Duration::from_millis(1500);
    })
}

#[tokio::test]
async fn it_delays_a_write_once_and_then_reads_it() {
    let town = town();
    let a = town.node("tc01", &[]).await;
    let b = Apart::join(&town, "tc02", &[&a]).await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    assert_eq!(browser.ok(b.node(), "/get/x").await, "1");
    let stopped = b.stop();
    let receipt = browser.get(&a, "/set/x/2").await.receipt.unwrap();
    assert!(receipt.is_degraded(), "{receipt}");
    browser.ok(&a, "/set/x/3").await;
    a.until("the removal", |a| a.sees() == ["tc01"]).await;

    // Its lease had run out before the write was confirmed: a request waits there, and reads no old value.
    let (mut late, reader) = (browser.clone(), b.node().clone());
    let reading = tokio::spawn(async move { late.ok(&reader, "/get/x").await });
    while b.node().metric("sessile_gate_waits_total") == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(stopped);
    assert_eq!(reading.await.unwrap(), "3");
    a.until("its return", |a| a.sees() == ["tc01", "tc02"]).await;
}

#[tokio::test]
async fn its_successor_takes_its_name_and_it_serves_no_more() {
    let town = town();
    let a = town.node("tc01", &[]).await;
    let old = Apart::join(&town, "tc02", &[&a]).await;
    let mut browser = Browser::default();
    browser.ok(old.node(), "/set/x/1").await;
    let stopped = old.stop();
    let new = town.node("tc02", &[&a]).await;
    browser.ok(&new, "/set/x/2").await;
    drop(stopped);
    old.node().until("it hears that it is barred", |old| old.cluster.state() == NodeState::Refused).await;
    assert!(browser.get_once(old.node(), "/get/x").await.unprocessed);
    assert_eq!(browser.ok(&a, "/get/x").await, "2");
    assert_eq!(
        (a.sees(), new.sees()),
        (vec!["tc01".into(), "tc02".into()], vec!["tc01".into(), "tc02".into()])
    );
    assert_eq!(a.cluster.members()[1].incarnation, new.cluster.members()[0].incarnation);
}
