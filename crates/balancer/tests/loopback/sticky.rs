//! The node of a request while all nodes are up.

use sessile_balancer::BackendState;

use crate::setup::{Setup, get, sticky};

#[tokio::test]
async fn a_session_stays_on_the_node_that_its_cookie_names() {
    let setup = Setup::pair().await;
    for node in ["tc02", "tc01", "tc02", "tc02", "tc01"] {
        assert_eq!(setup.send(sticky("/who", node), "").await.text, node);
    }
}

#[tokio::test]
async fn requests_without_a_route_go_round_by_weight() {
    let setup = Setup::start(&[3, 1], |_| {}).await;
    for turn in 0..20 {
        let request = if turn % 2 == 0 { get("/who") } else { sticky("/who", "tc77") };
        setup.send(request, "").await;
    }
    assert_eq!(setup.nodes.iter().map(|node| node.log.requests()).collect::<Vec<_>>(), [15, 5]);
    assert_eq!(setup.status().iter().map(|node| node.requests).collect::<Vec<_>>(), [15, 5]);
}

#[tokio::test]
async fn without_stickiness_the_cookie_is_not_asked() {
    let setup = Setup::start(&[1, 1], |config| config.balance.sticky = false).await;
    let mut served = Vec::new();
    for _ in 0..4 {
        served.push(setup.send(sticky("/who", "tc02"), "").await.text);
    }
    assert_eq!(served, ["tc01", "tc02", "tc01", "tc02"]);
}

#[tokio::test]
async fn another_cookie_name_can_be_configured() {
    let setup = Setup::start(&[1, 1], |config| config.balance.cookie = "JSESSIONID".into()).await;
    for _ in 0..3 {
        let request = get("/who").header("cookie", "sid=abc.tc01; JSESSIONID=def.tc02");
        assert_eq!(setup.send(request, "").await.text, "tc02");
    }
}

#[tokio::test]
async fn connections_to_nodes_are_used_again() {
    let setup = Setup::start(&[1], |_| {}).await;
    setup.sees(0, BackendState::Up).await;
    for _ in 0..10 {
        setup.send(get("/echo"), "x").await;
    }
    let log = &setup.nodes[0].log;
    assert_eq!((log.requests(), log.connections.load(std::sync::atomic::Ordering::SeqCst)), (10, 1));
}
