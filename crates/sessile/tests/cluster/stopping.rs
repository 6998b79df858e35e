//! A node goes in good order.

use std::time::Duration;

use http::StatusCode;
use sessile::Standing;

use crate::harness::{Browser, Town};

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_drained_node_leaves_nothing_behind() {
    let (a, b) = Town::new().pair().await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    a.cluster.drain(SOON).await.unwrap();
    assert_eq!(a.cluster.standing(), Standing::Draining);
    assert!(!a.cluster.is_ready(), "balancers stop choosing it");
    assert_eq!(browser.ok(&a, "/get/x").await, "1", "what still comes is served");
    a.cluster.leave().await;
    let reply = browser.get_once(&a, "/get/x").await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(reply.unprocessed, "another node may take it");
    b.until("the leave", |b| b.sees() == ["tc02"]).await;
    let receipt = browser.get(&b, "/set/x/2").await.receipt.unwrap();
    assert_eq!((receipt.copies, receipt.wanted), (1, 1), "who left cleanly is not missed");
    assert_eq!(browser.ok(&b, "/get/x").await, "2");
}

#[tokio::test]
async fn draining_waits_for_running_requests() {
    let (a, b) = Town::new().pair().await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    let mut slow = browser.clone();
    let drain = async {
        a.until("the request runs", |a| a.metric("sessile_requests_running") == 1).await;
        let left = a.cluster.drain(Duration::ZERO).await.unwrap_err();
        assert_eq!(left.requests, 1, "{left}");
        a.cluster.drain(SOON).await.unwrap();
        assert_eq!(a.metric("sessile_requests_running"), 0);
    };
    let (reply, ()) = tokio::join!(slow.get(&a, "/slow/y/200"), drain);
    assert_eq!(reply.status, StatusCode::OK);
    a.cluster.leave().await;
    assert_eq!(browser.ok(&b, "/get/y").await, "slow");
}

#[tokio::test]
async fn the_last_one_leaves_too() {
    let a = Town::new().node("tc01", &[]).await;
    Browser::default().ok(&a, "/set/x/1").await;
    a.cluster.drain(SOON).await.unwrap();
    a.cluster.leave().await;
    assert_eq!(a.cluster.standing(), Standing::Left);
}
