//! What stays on the node: values that cannot be encoded, and attributes whose names do not replicate.

use std::cell::Cell;
use std::sync::atomic::AtomicU32;

use super::*;
use crate::SessionError;
use crate::filter::Patterns;

/// Only names that begin with `shared` replicate.
fn filtered() -> SessionSettings {
    SessionSettings { names: Patterns::new("shared.*").unwrap(), ..usual() }
}

fn missed(site: &Site) -> u64 {
    site.engine.local_missed()
}

#[tokio::test]
async fn a_local_value_is_there_in_the_next_request() {
    let mut site = Site::new();
    site.visit(async |session| {
        assert!(session.get_local::<AtomicU32>("counter").is_none());
        session.set_local("counter", AtomicU32::new(7)).unwrap();
        assert!(session.get_local::<AtomicU32>("counter").is_some(), "a request reads what it wrote");
        answer(())
    })
    .await;
    assert_eq!(missed(&site), 0, "a new session has missed nothing");
    let reply = site
        .visit(async |session| {
            assert!(session.get_local::<String>("counter").is_none(), "it is no text");
            assert_eq!(session.names(), [""; 0], "it is no attribute");
            answer(session.get_local::<AtomicU32>("counter").unwrap())
        })
        .await;
    assert_eq!(reply.body, "7");
    site.visit(async |session| {
        assert!(session.remove_local("counter").unwrap() && !session.remove_local("counter").unwrap());
        answer(())
    })
    .await;
    assert_eq!(site.engine.local_count(), 0);
    site.visit(async |session| answer(session.get_local::<AtomicU32>("counter").is_none())).await;
    assert_eq!(missed(&site), 1);
}

#[tokio::test]
async fn local_values_need_no_session_before_and_go_with_it() {
    let mut site = Site::new();
    let value = Arc::new(());
    let kept = Arc::clone(&value);
    site.visit(async move |session| {
        session.set_local("lock", parking_lot::Mutex::new(Cell::new(1))).unwrap();
        session.set_local("value", kept).unwrap();
        answer(())
    })
    .await;
    assert_eq!((Arc::strong_count(&value), site.engine.local_count()), (2, 2));
    site.visit(async |session| answer(session.invalidate().unwrap())).await;
    assert_eq!((Arc::strong_count(&value), site.engine.local_count()), (1, 0));
}

#[tokio::test]
async fn local_values_go_with_a_session_that_expires() {
    let mut site = Site::new();
    site.visit(async |session| answer(session.set_local("x", 1_u8).is_ok())).await;
    site.engine.advance(usual().session.timeout + std::time::Duration::from_secs(60));
    for _ in 0..64 {
        site.engine.advance(Timing::default().tick());
        site.engine.step(|node, now, effects| node.tick(now, effects));
    }
    assert_eq!((site.engine.node().session_count(None), site.engine.local_count()), (0, 0));
}

#[tokio::test]
async fn a_request_whose_session_ended_meanwhile_leaves_no_local_values() {
    let mut site = Site::new();
    site.visit(async |session| answer(session.set("n", "one").is_ok())).await;
    let host = Arc::clone(&site.host);
    site.visit(async move |session| {
        session.set_local("late", 1_u8).unwrap();
        host.end(session.key().unwrap()).receipt().await;
        answer(())
    })
    .await;
    assert_eq!(site.engine.local_count(), 0);
}

#[tokio::test]
async fn a_handler_that_panics_leaves_no_local_value() {
    let mut site = Site::new();
    site.visit(async |session| answer(session.set("n", "one").is_ok())).await;
    let (layer, cookie) = (site.layer.clone(), site.cookie.clone().unwrap());
    let request = Request::get("/").header(COOKIE, cookie).body(Body::empty()).unwrap();
    let panicking = tokio::spawn(async move {
        send(&layer, request, async |session: Session| -> Response<Body> {
            session.set_local("x", 1_u8).unwrap();
            panic!("as a handler may")
        })
        .await
    });
    assert!(panicking.await.unwrap_err().is_panic());
    assert_eq!(site.engine.local_count(), 0);
}

#[tokio::test]
async fn a_handle_kept_as_a_local_value_may_go_at_any_time() {
    let mut site = Site::new();
    site.visit(async |session| answer(session.set("n", "one").is_ok())).await;
    site.visit(async |session| {
        let handle = || session.get_mut::<String>("n").unwrap().unwrap();
        session.set_local("handle", handle()).unwrap();
        session.set_local("handle", 0).unwrap();
        session.set_local("handle", handle()).unwrap();
        assert!(session.remove_local("handle").unwrap());
        session.set_local("handle", handle()).unwrap();
        answer(session.invalidate().unwrap())
    })
    .await;
}

#[tokio::test]
async fn a_session_has_a_bounded_number_of_local_values() {
    Site::new()
        .visit(async |session| {
            for number in 0..256 {
                session.set_local(&number.to_string(), number).unwrap();
            }
            session.set_local("0", 1).unwrap();
            let error = session.set_local("one more", 1).unwrap_err();
            assert_eq!(error, SessionError::TooManyLocal { name: "one more".to_owned(), max: 256 });
            answer(())
        })
        .await;
}

#[tokio::test]
async fn attributes_of_other_names_are_kept_beside_the_copy() {
    let mut site = Site::with(filtered());
    let reply = site
        .visit(async |session| {
            session.set("shared.cart", "hat").unwrap();
            session.set("mine", "scratch").unwrap();
            answer(session.key().unwrap().to_string())
        })
        .await;
    let key = sessile_core::SessionKey::parse(reply.body.trim_matches('"')).unwrap();
    let names = || {
        let (_, fields) = site.engine.node().peek(key).unwrap();
        fields.attributes().map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(), ["shared.cart"], "what would be sent");
    assert_eq!(site.host.local_bytes(), "mine".len() + crate::codec::encode("scratch").unwrap().bytes.len());
    let sends = site.layer.statistics().sends();
    let reply = site
        .visit(async |session| {
            session.set("mine", "other").unwrap();
            answer((session.names(), session.get::<String>("mine").unwrap()))
        })
        .await;
    assert_eq!(reply.body, r#"[["mine","shared.cart"],"other"]"#);
    assert_eq!(site.layer.statistics().sends(), sends, "nothing is sent for it");
    assert_eq!(site.text("mine").await.as_deref(), Some("other"));
    site.visit(async |session| answer(session.remove("mine").unwrap())).await;
    assert_eq!((site.text("mine").await, site.host.local_bytes()), (None, 0));
    assert_eq!(missed(&site), 1, "asked for and not here");
}

#[tokio::test]
async fn a_change_in_place_after_a_set_belongs_to_it_here_too() {
    let mut site = Site::with(filtered());
    site.visit(async |session| {
        session.set("mine", "a").unwrap();
        session.get_mut::<String>("mine").unwrap().unwrap().push('b');
        answer(())
    })
    .await;
    assert_eq!(site.text("mine").await.as_deref(), Some("ab"));
    assert_eq!(site.engine.local_count(), 1);
}

#[tokio::test]
async fn attributes_that_stay_count_to_the_bounds() {
    let mut settings = filtered();
    settings.session.max_session_bytes = 200;
    settings.session.max_table_bytes = 250;
    let mut site = Site::with(settings);
    site.visit(async |session| {
        session.set_bytes("mine", vec![0; 150]).unwrap();
        let error = session.set_bytes("shared", vec![0; 100]).unwrap_err();
        assert!(matches!(error, SessionError::SessionTooLarge { .. }), "{error}");
        answer(())
    })
    .await;
    site.visit(async |session| {
        let error = session.set_bytes("shared", vec![0; 100]).unwrap_err();
        assert!(matches!(error, SessionError::SessionTooLarge { .. }), "also of what was there: {error}");
        answer(())
    })
    .await;
    site.cookie = None;
    site.visit(async |session| {
        let error = session.set_bytes("mine", vec![0; 150]).unwrap_err();
        assert_eq!(error, SessionError::NoLocalRoom { name: "mine".to_owned(), max: 250 });
        answer(())
    })
    .await;
}
