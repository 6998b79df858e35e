//! Requests that break: repeated only where that cannot process them twice.

use std::sync::atomic::Ordering::SeqCst;

use futures_util::future::join_all;
use http::StatusCode;
use sessile_balancer::BackendState;

use crate::setup::{Setup, get, post, sticky};

#[tokio::test]
async fn a_post_that_a_node_lost_is_never_sent_twice() {
    let setup = Setup::pair().await;
    // The second goes over a connection that was used before.
    setup.send(sticky("/who", "tc01"), "").await;
    for id in ["new", "pooled"] {
        let answer = setup.send(post("/cut", id).header("cookie", "sid=x.tc01"), "body").await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
        assert!(answer.text.contains("may have been processed"), "{}", answer.text);
        assert!(!answer.head.headers.contains_key("retry-after"));
        assert_eq!((setup.nodes[0].log.processed(id), setup.nodes[1].log.processed(id)), (1, 0));
    }
    assert_eq!((setup.status()[0].state, setup.status()[0].failures), (BackendState::Up, 2));
}

#[tokio::test]
async fn a_get_without_an_answer_goes_to_another_node() {
    let setup = Setup::pair().await;
    let answer = setup.send(sticky("/cut", "tc01").header("x-id", "g"), "").await;
    // Both nodes cut it: each was asked once.
    assert_eq!(
        (answer.status, &answer.head.headers["retry-after"]),
        (StatusCode::BAD_GATEWAY, &"1".parse().unwrap())
    );
    assert!(answer.detail().contains("tc01: ") && answer.detail().contains("tc02: "), "{}", answer.detail());
    assert_eq!((setup.nodes[0].log.processed("g"), setup.nodes[1].log.processed("g")), (1, 1));
    assert_eq!(setup.status()[1].retries, 1);
}

#[tokio::test]
async fn a_get_on_an_unsafe_path_is_not_repeated() {
    let setup = Setup::pair().await;
    for (id, path) in [("plain", "/clusterapp/cut"), ("escaped", "/%63lusterapp/cut")] {
        let answer = setup.send(sticky(path, "tc01").header("x-id", id), "").await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
        assert_eq!((setup.nodes[0].log.processed(id), setup.nodes[1].log.processed(id)), (1, 0));
    }
}

#[tokio::test]
async fn what_a_node_did_not_process_goes_to_another_with_its_body() {
    let setup = Setup::pair().await;
    setup.nodes[0].log.unprocessed.store(true, SeqCst);
    let answer = setup.send(post("/clusterapp/echo", "u").header("cookie", "sid=x.tc01"), "the body").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.text.ends_with("\n\nthe body"), "{}", answer.text);
    assert!(!answer.head.headers.contains_key("sessile-unprocessed"));
    assert_eq!((setup.nodes[0].log.requests(), setup.nodes[1].log.processed("u")), (1, 1));
    assert_eq!((setup.status()[0].unprocessed, setup.status()[1].retries), (1, 1));
}

#[tokio::test]
async fn a_body_too_large_to_hold_streams_and_is_sent_once() {
    let mut setup = Setup::pair_unchecked().await;
    let large = "x".repeat(1_000_000);
    let answer = setup.send(post("/echo", "ok").header("cookie", "sid=x.tc01"), large.clone()).await;
    assert!(answer.text.ends_with(&large) && answer.text.contains("content-length: 1000000\n"));

    setup.nodes[0].log.unprocessed.store(true, SeqCst);
    let answer = setup.send(post("/echo", "no").header("cookie", "sid=x.tc01"), large.clone()).await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "later"));
    assert_eq!(answer.head.headers["retry-after"], "1");
    assert!(!answer.head.headers.contains_key("sessile-unprocessed"));
    assert_eq!(setup.nodes[1].log.requests(), 0);

    // Without a connection nothing was taken of the body.
    setup.nodes[0].kill().await;
    let answer = setup.send(post("/echo", "over").header("cookie", "sid=x.tc01"), large.clone()).await;
    assert!(answer.text.ends_with(&large));
    assert_eq!(setup.nodes[1].log.processed("over"), 1);
}

#[tokio::test]
async fn a_lonely_node_that_cuts_gives_502_at_once() {
    let setup = Setup::start(&[1], |_| {}).await;
    let answer = setup.send(get("/cut").header("x-id", "l"), "").await;
    assert_eq!((answer.status, setup.nodes[0].log.processed("l")), (StatusCode::BAD_GATEWAY, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_load_a_dying_node_doubles_nothing_and_loses_only_what_it_had() {
    const CLIENTS: usize = 8;
    const DEATHS: usize = 10;
    let mut setup = Setup::pair().await;
    let (mut dying, living) = (setup.nodes.remove(0), setup.nodes.remove(0));
    let done = std::sync::atomic::AtomicBool::new(false);
    let answered = std::sync::atomic::AtomicUsize::new(0);
    let clients = join_all((0..CLIENTS).map(async |client| {
        let mut outcomes = Vec::new();
        while !done.load(SeqCst) {
            let id = format!("{client}-{}", outcomes.len());
            let answer =
                setup.send(post("/clusterapp/who", &id).header("cookie", "sid=x.tc01"), "body").await;
            outcomes.push((id, answer.status));
            answered.fetch_add(1, SeqCst);
        }
        outcomes
    }));
    let deaths = async {
        for _ in 0..DEATHS {
            let busy = answered.load(SeqCst) + 4 * CLIENTS;
            while answered.load(SeqCst) < busy {
                tokio::task::yield_now().await;
            }
            dying.restart().await;
            setup.sees(0, BackendState::Up).await;
        }
        done.store(true, SeqCst);
    };
    let (outcomes, ()) = tokio::join!(clients, deaths);
    let mut lost = 0;
    for (id, status) in outcomes.into_iter().flatten() {
        let processed = dying.log.processed(&id) + living.log.processed(&id);
        match status {
            StatusCode::OK => assert_eq!(processed, 1, "{id}"),
            StatusCode::BAD_GATEWAY => {
                assert!(processed <= 1, "{id} was processed {processed} times");
                lost += 1;
            }
            other => panic!("{id}: {other}"),
        }
    }
    assert!(lost <= CLIENTS * DEATHS, "{lost} requests were lost");
}
