//! Each command: its effect and the exact members of its answer.

use serde_json::{Value, json};

use crate::visitor::Visitor;

/// The answer without its `sid`, and that.
fn split(mut answer: Value) -> (Value, Value) {
    let sid = answer.as_object_mut().unwrap().remove("sid").expect("every answer has a sid");
    (answer, sid)
}

#[tokio::test]
async fn an_attribute_is_added_and_read_back() {
    let mut visitor = Visitor::new().await;
    let reply = visitor.post("cmd=add&name=a&size=1024&v=7").await;
    assert_eq!((reply.status.as_u16(), &reply.headers["x-node"]), (200, &"tc01".parse().unwrap()));
    let (added, sid) = split(reply.json());
    assert_eq!(added, json!({"node": "tc01", "new": true, "v": 7}));
    assert_eq!(sid.as_str().unwrap().len(), 22);
    assert!(!visitor.cookie.as_ref().unwrap().ends_with(sid.as_str().unwrap()));

    let again = visitor.facts("cmd=add&name=b&size=4&v=12").await;
    assert_eq!(again, json!({"node": "tc01", "sid": sid, "new": false, "v": 12}));
    let one = visitor.facts("cmd=show&name=a&sum=1").await;
    assert_eq!(
        one,
        json!({"node": "tc01", "sid": sid, "found": true, "v": 7, "len": 1024, "fnv": 2_437_767_237_u32})
    );
    let plain = visitor.facts("name=a").await;
    assert_eq!(plain, json!({"node": "tc01", "sid": sid, "found": true, "v": 7, "len": 1024}));
    let all = visitor.facts("cmd=show").await;
    assert_eq!(all, json!({"node": "tc01", "sid": sid, "attrs": {"a": [7, 1024], "b": [0, 4]}}));
    let sums = visitor.facts("cmd=show&sum=1").await;
    assert_eq!(sums["attrs"]["a"], json!([7, 1024, 2_437_767_237_u32]));
    let missing = visitor.facts("cmd=show&name=c").await;
    assert_eq!(missing, json!({"node": "tc01", "sid": sid, "found": false}));
}

#[tokio::test]
async fn several_attributes_are_added_at_once() {
    let mut visitor = Visitor::new().await;
    visitor.facts("cmd=add&name=item&size=16&v=3&count=3").await;
    let all = visitor.facts("cmd=show").await;
    assert_eq!(all["attrs"], json!({"item0": [3, 16], "item1": [3, 16], "item2": [3, 16]}));
}

#[tokio::test]
async fn reading_and_ending_never_make_a_session() {
    let mut visitor = Visitor::new().await;
    for (query, facts) in [
        ("cmd=show", json!({"node": "tc01", "sid": null, "found": false})),
        ("cmd=show&name=a", json!({"node": "tc01", "sid": null, "found": false})),
        ("cmd=remove&name=a", json!({"node": "tc01", "sid": null})),
        ("cmd=invalidate", json!({"node": "tc01", "sid": null})),
    ] {
        assert_eq!(visitor.facts(query).await, facts, "{query}");
    }
    assert_eq!(visitor.cookie, None);
}

#[tokio::test]
async fn an_attribute_is_removed() {
    let mut visitor = Visitor::new().await;
    let sid = visitor.facts("cmd=add&name=a&size=16&v=1&count=2").await["sid"].clone();
    assert_eq!(visitor.facts("cmd=remove&name=a0").await, json!({"node": "tc01", "sid": sid}));
    assert_eq!(visitor.facts("cmd=show").await["attrs"], json!({"a1": [1, 16]}));
}

#[tokio::test]
async fn an_invalidated_session_is_over() {
    let mut visitor = Visitor::new().await;
    let first = visitor.facts("cmd=add&name=a&size=16&v=1").await["sid"].clone();
    let cookie = visitor.cookie.clone();
    assert_eq!(visitor.facts("cmd=invalidate").await, json!({"node": "tc01", "sid": null}));
    assert_eq!(visitor.cookie.as_deref(), Some("sid="));
    visitor.cookie = cookie;
    assert_eq!(visitor.facts("cmd=show").await["sid"], Value::Null);
    let next = visitor.facts("cmd=add&name=a&size=16&v=2").await;
    assert_eq!(next["new"], true);
    assert_ne!(next["sid"], first);
}

#[tokio::test]
async fn at_the_root_it_answers_too() {
    let mut visitor = Visitor::of(|_, app| "/".clone_into(&mut app.path)).await;
    let request = http::Request::get("/session?cmd=show").body(axum::body::Body::empty()).unwrap();
    assert_eq!(visitor.send(request).await.json()["found"], false);
    assert_eq!(visitor.browse("/").await.status, 200);
}
