//! `peek` and `stats` see without touching, and only where the configuration allows it.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::test_client::TestClient;

async fn stats(client: &mut TestClient) -> Value {
    client.send(Request::get("/clusterapp/stats").body(Body::empty()).unwrap()).await.json()
}

#[tokio::test]
async fn peek_reads_a_copy_without_a_cookie() {
    let mut client = TestClient::new().await;
    let sid = client.fields("cmd=add&name=a&size=1024&v=7").await["sid"].clone();
    let key = sid.as_str().unwrap();
    let mut stranger = client.other();
    assert_eq!(
        stranger.fields(&format!("cmd=peek&sid={key}&name=a&sum=1")).await,
        json!({"node": "tc01", "sid": sid, "found": true, "v": 7, "len": 1024, "fnv": 2_437_767_237_u32})
    );
    assert_eq!(
        stranger.fields(&format!("cmd=peek&sid={key}&name=b")).await,
        json!({"node": "tc01", "sid": sid, "found": false})
    );
    let nobody = "A".repeat(22);
    assert_eq!(
        stranger.fields(&format!("cmd=peek&sid={nobody}&name=a")).await,
        json!({"node": "tc01", "sid": null, "found": false})
    );
    assert_eq!(stranger.cookie, None);
    for query in ["cmd=peek&name=a", "cmd=peek&sid=x&name=a", &format!("cmd=peek&sid={key}")] {
        assert_eq!(stranger.post(query).await.status, 400, "{query}");
    }
}

#[tokio::test]
async fn stats_count_the_session_layers_work() {
    let mut client = TestClient::new().await;
    let sid = client.fields("cmd=add&name=a&size=16&v=1").await["sid"].clone();
    client.fields("cmd=show").await;
    // Neither these nor the figures themselves count, with or without a cookie.
    client.fields(&format!("cmd=peek&sid={}&name=a", sid.as_str().unwrap())).await;
    stats(&mut client).await;
    let figures = stats(&mut client).await;
    assert_eq!(figures["node"], "tc01");
    assert_eq!((&figures["sessions"], &figures["members"]), (&json!(1), &json!(0)));
    let valve = &figures["valve"];
    assert_eq!((&valve["requests"], &valve["sends"]), (&json!(2), &json!(1)));
    assert!(valve["request_ms"].as_f64().unwrap() >= valve["cluster_ms"].as_f64().unwrap());
}

#[tokio::test]
async fn without_diagnostics_peek_and_stats_are_404() {
    let mut client = TestClient::of(|_, app| app.diagnostics = false).await;
    let sid = client.fields("cmd=add&name=a&size=16&v=1").await["sid"].clone();
    assert_eq!(client.post(&format!("cmd=peek&sid={}&name=a", sid.as_str().unwrap())).await.status, 404);
    let stats = client.send(Request::get("/clusterapp/stats").body(Body::empty()).unwrap()).await;
    assert_eq!(stats.status, 404);
    assert!(stats.error().contains("diagnostics"));
    assert!(!client.post("cmd=nap").await.error().contains("peek"));
}
