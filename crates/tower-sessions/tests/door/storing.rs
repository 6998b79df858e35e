//! The store by itself, its key, and the route on the cookie.

use std::collections::HashMap;

use serde_json::json;
use time::{Duration, OffsetDateTime};
use tower_sessions::Expiry;
use tower_sessions_core::SessionStore as _;
use tower_sessions_core::session::{Id, Record};

use crate::harness::{Browser, pair};

fn record(id: Id) -> Record {
    let data = HashMap::from([("cart".to_owned(), json!({"umbrella": 2, "price": 1.25, "note": null}))]);
    Record { id, data, expiry_date: OffsetDateTime::now_utc() + Duration::HOUR }
}

#[tokio::test]
async fn an_id_in_use_is_not_overwritten_and_one_that_ended_is_not_used_again() {
    let (a, b) = pair().await;
    let (mut first, mut second) = (record(Id(7)), record(Id(7)));
    a.store.create(&mut first).await.unwrap();
    second.data.clear();
    b.store.create(&mut second).await.unwrap();
    assert_eq!(first.id, Id(7));
    assert_ne!(second.id, Id(7));
    assert_eq!(b.store.load(&first.id).await.unwrap().unwrap().data, first.data);
    assert!(a.store.load(&second.id).await.unwrap().unwrap().data.is_empty());

    b.store.delete(&first.id).await.unwrap();
    a.store.save(&first).await.unwrap();
    assert_eq!(a.store.load(&first.id).await.unwrap(), None, "a save makes no session");
    let mut third = record(Id(7));
    a.store.create(&mut third).await.unwrap();
    assert_ne!(third.id, Id(7));
    a.store.save(&record(Id(8))).await.unwrap();
    assert_eq!(a.store.load(&Id(8)).await.unwrap(), None);
}

#[tokio::test]
async fn neither_logs_nor_pages_show_what_opens_a_session() {
    let (a, _b) = pair().await;
    let mut browser = Browser::default();
    browser.ok(&a.app(), "/set/x/1").await;
    let id: Id = browser.cookie.unwrap().strip_prefix("id=").unwrap().parse().unwrap();
    let shown = a.cluster.sessions(None, 9);
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].key, a.store.key(&id));
    assert_ne!(shown[0].key.0, id.0.to_le_bytes());
    let taken_for_an_id = Id(i128::from_le_bytes(shown[0].key.0));
    assert_eq!(a.store.load(&taken_for_an_id).await.unwrap(), None, "the key opens nothing");
}

#[tokio::test]
async fn a_job_works_on_the_session_by_its_key() {
    let (a, b) = pair().await;
    let mut browser = Browser::default();
    browser.ok(&a.app(), "/set/x/1").await;
    let job = b.layer.sessions().open(a.cluster.sessions(None, 1)[0].key).await.unwrap();
    assert_eq!(job.get::<String>("x").unwrap().as_deref(), Some("1"));
    job.set("done", "yes").unwrap();
    job.set_bytes("image", vec![0xff; 4]).unwrap();
    job.commit().await.unwrap();
    assert_eq!(browser.ok(&a.app(), "/get/done").await, "yes");
    browser.ok(&a.app(), "/set/x/2").await;
    job.refresh().await.unwrap();
    assert!(job.get_bytes("image").is_some(), "what is no JSON is not seen by the application, and stays");
}

#[tokio::test]
async fn a_save_that_changes_nothing_sends_nothing() {
    let (a, _b) = pair().await;
    let manager = a.manager().with_expiry(Expiry::OnInactivity(Duration::HOUR)).with_always_save(true);
    let app = a.app_with(manager).layer(a.store.request_layer());
    let mut browser = Browser::default();
    browser.ok(&app, "/set/x/1").await;
    let sends = a.layer.statistics().sends();
    for _ in 0..5 {
        assert_eq!(browser.ok(&app, "/get/x").await, "1");
    }
    assert_eq!(a.layer.statistics().sends(), sends);
    assert_eq!(a.layer.statistics().requests(), 6);
}

#[tokio::test]
async fn the_cookie_carries_the_route_where_that_is_wanted() {
    let (a, b) = pair().await;
    let routed = |node: &crate::harness::Node| {
        node.app_with(node.manager()).layer(node.store.request_layer().with_route("id"))
    };
    let mut browser = Browser::default();
    browser.ok(&routed(&a), "/set/x/1").await;
    assert!(browser.cookie.as_deref().unwrap().ends_with(".tc01"));
    assert_eq!(browser.ok(&routed(&b), "/get/x").await, "1");
    browser.ok(&routed(&b), "/set/x/2").await;
    assert!(browser.cookie.as_deref().unwrap().ends_with(".tc02"), "it moved");
    browser.ok(&routed(&a), "/flush").await;
    assert_eq!(browser.cookie, None);
}
