//! A guest on two nodes: writes are replicated, and busy guests delay no other work.

use std::time::Duration;

use sessile_apps::component::GuestLimits;

use crate::site::{LIMIT, Pair, Site, TestClient, limited, settings};

#[tokio::test(flavor = "multi_thread")]
async fn either_node_continues_the_session() {
    let Some(Pair { one, other, _place }) = Pair::of(settings()).await else { return };
    let mut client = TestClient::at(&one);
    assert_eq!(client.count().await, 1);
    assert_eq!(client.post("put?name=large", "x".repeat(60_000)).await.body, "done");
    client.move_to(&other);
    assert_eq!(client.count().await, 2);
    assert_eq!(client.native().await, "3");
    assert_eq!(client.get("get?name=large").await.len(), 60_000);
    client.move_to(&one);
    assert_eq!(client.count().await, 4);
    client.ask("write-and-trap").await;
    client.move_to(&other);
    assert_eq!(client.count().await, 5, "what the request wrote that failed reached nobody");
    let mut copy = client.again();
    client.get("invalidate").await;
    copy.move_to(&one);
    assert_eq!(copy.get("current").await, "there is none");
}

/// Both nodes see each other, in order.
fn are_together(one: &Site, other: &Site) -> bool {
    [one, other].iter().all(|site| {
        let members = site.cluster.members();
        members.len() == 2 && members.iter().all(|member| member.state == "ready")
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn computing_guests_on_every_thread_delay_no_other_work() {
    let limits =
        GuestLimits { cpu_time: Duration::from_secs(120), request_time: LIMIT, ..GuestLimits::default() };
    let Some(Pair { one, other, _place }) = Pair::of(limited(limits)).await else { return };
    let mut client = TestClient::at(&one);
    client.native().await;
    let met = async {
        while !are_together(&one, &other) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LIMIT, met).await.expect("the first one hears that the second is ready");
    // More than the machine has cores.
    let spinning: Vec<_> = (0..16)
        .map(|_| {
            let mut client = TestClient::at(&one);
            tokio::spawn(async move { client.ask("spin").await })
        })
        .collect();
    for count in (2..60_u64).step_by(2) {
        client.move_to(&other);
        assert_eq!(client.native().await, count.to_string());
        client.move_to(&one);
        assert_eq!(client.native().await, (count + 1).to_string());
        assert!(are_together(&one, &other));
    }
    assert_eq!(client.get("hello").await, "hello", "another guest has its turn, too");
    assert!(spinning.iter().all(|request| !request.is_finished()), "they computed all the while");
    spinning.iter().for_each(tokio::task::JoinHandle::abort);
}
