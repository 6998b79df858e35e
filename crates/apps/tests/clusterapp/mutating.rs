//! `mutate`, the article's `map.put` without a `setAttribute`: what the other node has afterwards, by
//! manager.

use serde_json::{Value, json};
use sessile::Config;
use sessile::config::Manager;

use crate::test_client::{Site, TestClient};
use crate::two_nodes::{Pair, counted};

/// The version of the attribute `a`, as a node's own copy has it.
async fn version_at(site: &Site, sid: &Value) -> Value {
    let query = format!("cmd=peek&sid={}&name=a&sum=1", sid.as_str().unwrap());
    TestClient::at(site).fields(&query).await["v"].clone()
}

/// Makes version 1 by a set and version 2 in place; then what the first node, the other node, and the next
/// request on the first one have.
async fn mutated(change: impl Fn(&mut Config) + Clone) -> (Pair, [Value; 3]) {
    let pair = Pair::with(change).await;
    let mut client = TestClient::at(&pair.one);
    let sid = client.fields("cmd=add&name=a&size=1024&v=1").await["sid"].clone();
    let answer = client.fields("cmd=mutate&name=a&v=2").await;
    assert_eq!(answer, json!({"node": "tc01", "sid": sid, "v": 2}));
    let seen = [version_at(&pair.one, &sid).await, version_at(&pair.other, &sid).await];
    let next = client.fields("cmd=show&name=a&sum=1").await;
    assert_eq!(next["len"], 1024);
    let [one, other] = seen;
    (pair, [one, other, next["v"].clone()])
}

#[tokio::test]
async fn with_full_and_without_the_dirty_flag_a_mutation_is_replicated() {
    let full = |config: &mut Config| {
        config.cluster.manager = Manager::Full;
        config.replication.dirty_flag = false;
    };
    let (pair, seen) = mutated(full).await;
    assert_eq!(seen, [json!(2), json!(2), json!(2)]);
    assert_eq!(counted(&pair.one.cluster.metrics(), "sessile_changes_discarded_total"), 0);
}

#[tokio::test]
async fn with_the_dirty_flag_a_mutation_is_dropped() {
    let (pair, seen) = mutated(|config| config.cluster.manager = Manager::Full).await;
    assert_eq!(seen, [json!(1), json!(1), json!(1)]);
    assert_eq!(counted(&pair.one.cluster.metrics(), "sessile_changes_discarded_total"), 1);
}

#[tokio::test]
async fn with_delta_a_mutation_is_dropped() {
    let (pair, seen) = mutated(|_| ()).await;
    assert_eq!(seen, [json!(1), json!(1), json!(1)]);
    assert_eq!(counted(&pair.one.cluster.metrics(), "sessile_changes_discarded_total"), 1);
}

#[tokio::test]
async fn a_browser_sees_the_version_that_holds() {
    let page = async |full: bool| {
        let mut browser = TestClient::of(|config, _| {
            if full {
                config.cluster.manager = Manager::Full;
                config.replication.dirty_flag = false;
            }
        })
        .await;
        browser.submit_and_follow("cmd=add&name=cart&size=64&v=1").await;
        // With a key there is a commit, of the key, whatever becomes of the change.
        browser.submit_and_follow("cmd=mutate&name=cart&v=2&idempotency_key=k").await.body
    };
    let (dropped, kept) = (page(false).await, page(true).await);
    assert!(dropped.contains("<td class=\"number\">1</td>") && dropped.contains("dropped"), "{dropped}");
    assert!(kept.contains("<td class=\"number\">2</td>") && kept.contains("and sent"), "{kept}");
}
