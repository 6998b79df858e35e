//! The store by itself.

use std::collections::HashMap;

use actix_session::storage::SessionStore as _;
use actix_web::cookie::time::Duration;

use crate::harness::pair;

fn state(entries: &[(&str, &str)]) -> HashMap<String, String> {
    entries.iter().map(|(name, json)| ((*name).to_owned(), (*json).to_owned())).collect()
}

#[actix_web::test]
async fn saved_sessions_are_loaded_and_deleted_ones_stay_deleted() {
    let (a, b) = pair().await;
    let saved = state(&[("cart", r#"{"umbrella":2}"#), ("user", "\"ada\"")]);
    let key = a.store.save(saved.clone(), &Duration::HOUR).await.unwrap();
    assert_eq!(key.as_ref().len(), 64);
    assert_eq!(b.store.load(&key).await.unwrap(), Some(saved));

    // Outside of a request the whole map is replaced.
    let changed = state(&[("user", "null")]);
    let key = b.store.update(key, changed.clone(), &Duration::HOUR).await.unwrap();
    assert_eq!(a.store.load(&key).await.unwrap(), Some(changed.clone()));

    a.store.delete(&key).await.unwrap();
    assert_eq!(b.store.load(&key).await.unwrap(), None);
    let key = b.store.update(key, changed, &Duration::HOUR).await.unwrap();
    assert_eq!(a.store.load(&key).await.unwrap(), None, "an update makes no session");
    b.store.update_ttl(&key, &Duration::HOUR).await.unwrap();
    assert_eq!((a.cluster.session_count(), b.cluster.session_count()), (0, 0));
}

#[actix_web::test]
async fn the_time_to_live_is_the_sessions_idle_time_on_every_node() {
    let (a, b) = pair().await;
    let key = a.store.save(state(&[("x", "1")]), &Duration::HOUR).await.unwrap();
    let idle = async || b.layer.sessions().look(b.store.key(&key)).await.unwrap().max_inactive().as_secs();
    assert_eq!(idle().await, 3600);
    a.store.update_ttl(&key, &Duration::DAY).await.unwrap();
    assert_eq!(idle().await, 24 * 3600);
    b.store.update_ttl(&key, &Duration::DAY).await.unwrap();
    assert_eq!(b.layer.statistics().sends(), 0, "what is so already is a touch");
}

#[actix_web::test]
async fn pages_do_not_show_what_opens_a_session() {
    let (a, _b) = pair().await;
    let key = a.store.save(state(&[("x", "1")]), &Duration::HOUR).await.unwrap();
    let shown = a.cluster.sessions(None, 9);
    assert_eq!((shown.len(), shown[0].key), (1, a.store.key(&key)));
    let taken_for_a_key = shown[0].key.to_string().try_into().unwrap();
    assert_eq!(a.store.load(&taken_for_a_key).await.unwrap(), None);
}
