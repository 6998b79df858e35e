//! `peek` and `stats` see without touching, and only where the configuration allows it.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::visitor::Visitor;

async fn stats(visitor: &mut Visitor) -> Value {
    visitor.send(Request::get("/clusterapp/stats").body(Body::empty()).unwrap()).await.json()
}

#[tokio::test]
async fn a_copy_is_seen_without_a_cookie() {
    let mut visitor = Visitor::new().await;
    let sid = visitor.facts("cmd=add&name=a&size=1024&v=7").await["sid"].clone();
    let key = sid.as_str().unwrap();
    let mut stranger = visitor.other();
    assert_eq!(
        stranger.facts(&format!("cmd=peek&sid={key}&name=a&sum=1")).await,
        json!({"node": "tc01", "sid": sid, "found": true, "v": 7, "len": 1024, "fnv": 2_437_767_237_u32})
    );
    assert_eq!(
        stranger.facts(&format!("cmd=peek&sid={key}&name=b")).await,
        json!({"node": "tc01", "sid": sid, "found": false})
    );
    let nobody = "A".repeat(22);
    assert_eq!(
        stranger.facts(&format!("cmd=peek&sid={nobody}&name=a")).await,
        json!({"node": "tc01", "sid": null, "found": false})
    );
    assert_eq!(stranger.cookie, None);
    for query in ["cmd=peek&name=a", "cmd=peek&sid=x&name=a", &format!("cmd=peek&sid={key}")] {
        assert_eq!(stranger.post(query).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn figures_count_what_the_session_layer_did() {
    let mut visitor = Visitor::new().await;
    let sid = visitor.facts("cmd=add&name=a&size=16&v=1").await["sid"].clone();
    visitor.facts("cmd=show").await;
    // Neither these nor the figures themselves count, with or without a cookie.
    visitor.facts(&format!("cmd=peek&sid={}&name=a", sid.as_str().unwrap())).await;
    stats(&mut visitor).await;
    let figures = stats(&mut visitor).await;
    assert_eq!(figures["node"], "tc01");
    assert_eq!((&figures["sessions"], &figures["members"]), (&json!(1), &json!(0)));
    let valve = &figures["valve"];
    assert_eq!((&valve["requests"], &valve["sends"]), (&json!(2), &json!(1)));
    assert!(valve["request_ms"].as_f64().unwrap() >= valve["cluster_ms"].as_f64().unwrap());
}

#[tokio::test]
async fn without_diagnostics_there_is_nothing_to_see() {
    let mut visitor = Visitor::of(|_, app| app.diagnostics = false).await;
    let sid = visitor.facts("cmd=add&name=a&size=16&v=1").await["sid"].clone();
    assert_eq!(visitor.post(&format!("cmd=peek&sid={}&name=a", sid.as_str().unwrap())).await.status, 404);
    let stats = visitor.send(Request::get("/clusterapp/stats").body(Body::empty()).unwrap()).await;
    assert_eq!(stats.status, 404);
    assert!(stats.error().contains("diagnostics"));
    assert!(!visitor.post("cmd=nap").await.error().contains("peek"));
}
