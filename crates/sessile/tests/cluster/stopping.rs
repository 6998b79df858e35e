//! A node goes in good order.

use std::time::Duration;

use http::StatusCode;
use sessile::NodeState;
use sessile::config::App;

use crate::harness::{Browser, Gate, Node, Town};

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_drained_node_leaves_nothing_behind() {
    let (a, b) = Town::new().pair().await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    a.cluster.drain(SOON).await.unwrap();
    assert_eq!(a.cluster.state(), NodeState::Draining);
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
    let (mut slow, gate) = (browser.clone(), Gate::default());
    let drain = async {
        gate.entered.notified().await;
        assert_eq!(a.metric("sessile_requests_running"), 1);
        let left = a.cluster.drain(Duration::ZERO).await.unwrap_err();
        assert_eq!(left.requests, 1, "{left}");
        gate.go_on.notify_one();
        a.cluster.drain(SOON).await.unwrap();
        assert_eq!(a.metric("sessile_requests_running"), 0);
    };
    let (reply, ()) = tokio::join!(slow.get_held(&a, "/slow/y", &gate), drain);
    assert_eq!(reply.status, StatusCode::OK);
    a.cluster.leave().await;
    assert_eq!(browser.ok(&b, "/get/y").await, "slow");
}

#[tokio::test]
async fn an_application_that_goes_takes_the_sessions_that_its_node_wrote_last() {
    let (a, b) = Town::new().pair().await;
    let shop = |node: &Node, expire_on_stop| {
        let session = sessile::config::Session { expire_on_stop, ..node.cluster.config().session.clone() };
        let shop = App { path: "/shop".to_owned(), ..App::with_session(session) };
        node.with_layer(node.cluster.app_layer(&shop))
    };
    let (shop_a, shop_b) = (shop(&a, true), shop(&b, true));
    let (mut of_a, mut of_b, mut elsewhere) = (Browser::default(), Browser::default(), Browser::default());
    of_a.ok(&shop_a, "/set/x/1").await;
    of_b.ok(&shop_b, "/set/x/2").await;
    elsewhere.ok(&a, "/set/x/3").await;
    a.cluster.retire_app("/shop").await;
    let shop_a = shop(&a, false);
    assert_eq!(of_a.clone().ok(&shop_b, "/get/x").await, "", "it ended everywhere");
    assert_eq!(of_b.ok(&shop_a, "/get/x").await, "2", "what another node wrote stays");
    assert_eq!(elsewhere.ok(&b, "/get/x").await, "3", "other applications are left alone");
    of_a.ok(&shop_a, "/set/x/4").await;
    a.cluster.retire_app("/shop").await;
    assert_eq!(of_a.ok(&shop_b, "/get/x").await, "4", "without expire_on_stop the sessions stay");
}

#[tokio::test]
async fn the_last_one_leaves_too() {
    let a = Town::new().node("tc01", &[]).await;
    Browser::default().ok(&a, "/set/x/1").await;
    a.cluster.drain(SOON).await.unwrap();
    a.cluster.leave().await;
    assert_eq!(a.cluster.state(), NodeState::Left);
}
