//! Each command: its effect and the exact fields of its response.

use serde_json::{Value, json};

use crate::test_client::TestClient;

/// The answer without its `sid`, and that.
fn split(mut answer: Value) -> (Value, Value) {
    let sid = answer.as_object_mut().unwrap().remove("sid").expect("every answer has a sid");
    (answer, sid)
}

#[tokio::test]
async fn an_attribute_is_added_and_read_back() {
    let mut client = TestClient::new().await;
    let reply = client.post("cmd=add&name=a&size=1024&v=7").await;
    assert_eq!((reply.status.as_u16(), &reply.headers["x-node"]), (200, &"tc01".parse().unwrap()));
    let (added, sid) = split(reply.json());
    assert_eq!(added, json!({"node": "tc01", "new": true, "v": 7}));
    assert_eq!(sid.as_str().unwrap().len(), 22);
    assert!(!client.cookie.as_ref().unwrap().ends_with(sid.as_str().unwrap()));

    let again = client.fields("cmd=add&name=b&size=4&v=12").await;
    assert_eq!(again, json!({"node": "tc01", "sid": sid, "new": false, "v": 12}));
    let one = client.fields("cmd=show&name=a&sum=1").await;
    assert_eq!(
        one,
        json!({"node": "tc01", "sid": sid, "found": true, "v": 7, "len": 1024, "fnv": 2_437_767_237_u32})
    );
    let plain = client.fields("name=a").await;
    assert_eq!(plain, json!({"node": "tc01", "sid": sid, "found": true, "v": 7, "len": 1024}));
    let all = client.fields("cmd=show").await;
    assert_eq!(all, json!({"node": "tc01", "sid": sid, "attrs": {"a": [7, 1024], "b": [0, 4]}}));
    let sums = client.fields("cmd=show&sum=1").await;
    assert_eq!(sums["attrs"]["a"], json!([7, 1024, 2_437_767_237_u32]));
    let missing = client.fields("cmd=show&name=c").await;
    assert_eq!(missing, json!({"node": "tc01", "sid": sid, "found": false}));
}

#[tokio::test]
async fn several_attributes_are_added_at_once() {
    let mut client = TestClient::new().await;
    client.fields("cmd=add&name=item&size=16&v=3&count=3").await;
    let all = client.fields("cmd=show").await;
    assert_eq!(all["attrs"], json!({"item0": [3, 16], "item1": [3, 16], "item2": [3, 16]}));
}

#[tokio::test]
async fn show_and_invalidate_never_create_a_session() {
    let mut client = TestClient::new().await;
    for (query, fields) in [
        ("cmd=show", json!({"node": "tc01", "sid": null, "found": false})),
        ("cmd=show&name=a", json!({"node": "tc01", "sid": null, "found": false})),
        ("cmd=remove&name=a", json!({"node": "tc01", "sid": null})),
        ("cmd=invalidate", json!({"node": "tc01", "sid": null})),
    ] {
        assert_eq!(client.fields(query).await, fields, "{query}");
    }
    assert_eq!(client.cookie, None);
}

#[tokio::test]
async fn an_attribute_is_removed() {
    let mut client = TestClient::new().await;
    let sid = client.fields("cmd=add&name=a&size=16&v=1&count=2").await["sid"].clone();
    assert_eq!(client.fields("cmd=remove&name=a0").await, json!({"node": "tc01", "sid": sid}));
    assert_eq!(client.fields("cmd=show").await["attrs"], json!({"a1": [1, 16]}));
}

#[tokio::test]
async fn an_invalidated_session_is_gone() {
    let mut client = TestClient::new().await;
    let first = client.fields("cmd=add&name=a&size=16&v=1").await["sid"].clone();
    let cookie = client.cookie.clone();
    assert_eq!(client.fields("cmd=invalidate").await, json!({"node": "tc01", "sid": null}));
    assert_eq!(client.cookie.as_deref(), Some("sid="));
    client.cookie = cookie;
    assert_eq!(client.fields("cmd=show").await["sid"], Value::Null);
    let next = client.fields("cmd=add&name=a&size=16&v=2").await;
    assert_eq!(next["new"], true);
    assert_ne!(next["sid"], first);
}

#[tokio::test]
async fn the_root_path_works_too() {
    let mut client = TestClient::of(|_, app| "/".clone_into(&mut app.path)).await;
    let request = http::Request::get("/session?cmd=show").body(axum::body::Body::empty()).unwrap();
    assert_eq!(client.send(request).await.json()["found"], false);
    assert_eq!(client.browse("/").await.status, 200);
}
