//! Nodes that are added, taken out, drained and weighted while the balancer runs.

use std::sync::atomic::Ordering::SeqCst;

use http::StatusCode;
use sessile_balancer::{BackendConfig, BackendState, ControlError};

use crate::backend::TestBackend;
use crate::setup::{Setup, get, sticky, until};

fn node(name: &str, address: impl ToString) -> BackendConfig {
    BackendConfig::new(name, address.to_string())
}

/// The nodes that answer requests without a cookie, in order.
async fn turns(setup: &Setup, count: usize) -> Vec<String> {
    let mut turns = Vec::new();
    for _ in 0..count {
        turns.push(setup.send(get("/who"), "").await.text);
    }
    turns
}

#[tokio::test]
async fn a_node_that_is_added_gets_its_share_and_its_sessions() {
    let setup = Setup::pair().await;
    let third = TestBackend::start("tc03").await;
    assert_eq!(setup.send(sticky("/who", "tc03"), "").await.text, "tc01", "nobody knows it yet");
    setup.control.add(&node("tc03", third.address)).unwrap();
    setup.sees(2, BackendState::Up).await;
    let mut served = turns(&setup, 3).await;
    served.sort();
    assert_eq!(served, ["tc01", "tc02", "tc03"]);
    assert_eq!(setup.send(sticky("/who", "tc03"), "").await.text, "tc03");
}

#[tokio::test]
async fn a_node_that_is_removed_ends_what_runs_and_its_clients_go_elsewhere() {
    let setup = Setup::pair().await;
    let slow = setup.send(sticky("/slow", "tc02"), "");
    let others = async {
        let log = &setup.nodes[1].log;
        until(|| log.slow.load(SeqCst) == 1).await;
        assert_eq!(setup.status()[1].active, 1);
        setup.control.remove("tc02").unwrap();
        assert_eq!(turns(&setup, 3).await, ["tc01"; 3]);
        assert_eq!(setup.send(sticky("/who", "tc02"), "").await.text, "tc01");
        log.go_on.notify_one();
    };
    let (slow, ()) = tokio::join!(slow, others);
    assert_eq!((slow.status, slow.text.as_str()), (StatusCode::OK, "tc02"));
    assert_eq!(setup.status().iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["tc01"]);
    assert!(matches!(setup.control.remove("tc01"), Err(ControlError::Last { .. })));

    setup.control.add(&node("tc02", setup.nodes[1].address)).unwrap();
    setup.sees(1, BackendState::Up).await;
    assert_eq!(setup.send(sticky("/who", "tc02"), "").await.text, "tc02");
}

#[tokio::test]
async fn a_node_of_weight_0_keeps_its_sessions_and_gets_no_new_ones() {
    let setup = Setup::pair().await;
    setup.control.set_weight("tc01", 0).unwrap();
    assert_eq!(turns(&setup, 4).await, ["tc02"; 4]);
    assert_eq!(setup.send(sticky("/who", "tc01"), "").await.text, "tc01");
    setup.control.set_weight("tc01", 3).unwrap();
    assert_eq!(turns(&setup, 8).await.iter().filter(|name| *name == "tc01").count(), 6);
}

#[tokio::test]
async fn a_drained_node_stays_and_gets_nothing_new_until_it_is_resumed() {
    let setup = Setup::pair().await;
    setup.control.drain("tc01").unwrap();
    assert_eq!(setup.status()[0].state, BackendState::Draining);
    assert_eq!(setup.send(sticky("/who", "tc01"), "").await.text, "tc02");
    assert_eq!(turns(&setup, 2).await, ["tc02"; 2]);
    setup.control.resume("tc01").unwrap();
    setup.sees(0, BackendState::Up).await;
    assert_eq!(setup.send(sticky("/who", "tc01"), "").await.text, "tc01");
}

#[tokio::test]
async fn a_changed_list_is_followed() {
    let setup = Setup::pair().await;
    let third = TestBackend::start("tc03").await;
    let mut list = [node("tc02", setup.nodes[1].address), node("tc03", third.address)];
    list[0].weight = 2;
    let followed = setup.control.follow(&list).unwrap();
    assert_eq!((followed.added, followed.removed), (vec!["tc03".into()], vec!["tc01".into()]));
    assert_eq!(followed.reweighted, ["tc02"]);
    until(|| setup.status().iter().all(|node| node.state == BackendState::Up)).await;
    let served = turns(&setup, 6).await;
    assert_eq!(served.iter().filter(|name| *name == "tc02").count(), 4, "{served:?}");
    assert_eq!(setup.control.follow(&list).unwrap(), Default::default());

    let wrong = [node("tc02", "nowhere")];
    assert!(setup.control.follow(&wrong).unwrap_err().to_string().contains("nowhere"));
    assert_eq!(setup.status().len(), 2, "an error changes nothing");
}

#[tokio::test]
async fn changes_that_make_no_sense_are_refused_in_words() {
    let setup = Setup::pair().await;
    let full = |error: ControlError| error.to_string();
    let twice = setup.control.add(&node("tc01", "127.0.0.1:1")).map_err(full).unwrap_err();
    assert!(twice.contains("there is a node \"tc01\" already"), "{twice}");
    let unknown = setup.control.remove("tc09").map_err(full).unwrap_err();
    assert!(unknown.contains("there are tc01, tc02"), "{unknown}");
    assert!(setup.control.set_weight("tc01", 1_001).map_err(full).unwrap_err().contains("0 to 1000"));
    assert!(setup.control.add(&node("a.b", "127.0.0.1:1")).map_err(full).unwrap_err().contains("name"));
    for number in 3..65 {
        setup.control.add(&node(&format!("tc{number:02}"), "127.0.0.1:1")).unwrap();
    }
    assert_eq!(setup.control.add(&node("tc65", "127.0.0.1:1")), Err(ControlError::Full));
}
