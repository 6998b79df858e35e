//! Attributes that are changed in place, by what the manager makes of it.

use serde::ser::Error as _;
use serde::{Deserialize, Serialize, Serializer};

use super::*;
use crate::{AttributeMut, SessionError};
use sessile_config::Manager;

/// The usual settings with another manager.
fn managed(manager: Manager, dirty_flag: bool) -> SessionSettings {
    let mut config = Config::default();
    config.replication.dirty_flag = dirty_flag;
    usual().managed(manager, &config.replication)
}

/// A session with the list `cart`, which holds `hat`.
async fn begun(settings: SessionSettings) -> Site {
    let mut site = Site::with(settings);
    site.visit(async |session| answer(session.set("cart", &["hat"]).is_ok())).await;
    site
}

fn cart(session: &Session) -> AttributeMut<Vec<String>> {
    session.get_mut("cart").unwrap().unwrap()
}

/// What the next request finds in `cart`.
async fn found(site: &mut Site) -> String {
    site.visit(async |session| answer(session.get::<Vec<String>>("cart").unwrap())).await.body
}

fn discarded(site: &Site) -> u64 {
    site.layer.statistics().discarded()
}

#[tokio::test]
async fn only_full_without_the_dirty_flag_keeps_what_nobody_set() {
    for (manager, dirty_flag, kept) in [
        (Manager::Full, false, true),
        (Manager::Full, true, false),
        (Manager::Delta, true, false),
        (Manager::Delta, false, false),
        (Manager::Local, true, false),
    ] {
        let mut site = begun(managed(manager, dirty_flag)).await;
        site.visit(async |session| {
            cart(&session).push("umbrella".to_owned());
            answer(session.get::<Vec<String>>("cart").unwrap())
        })
        .await;
        let expected = if kept { r#"["hat","umbrella"]"# } else { r#"["hat"]"# };
        assert_eq!(found(&mut site).await, expected, "{manager:?}, dirty_flag = {dirty_flag}");
        assert_eq!(discarded(&site), u64::from(!kept));
    }
}

#[tokio::test]
async fn a_set_of_the_handle_counts_with_every_manager() {
    let mut site = begun(usual()).await;
    site.visit(async |session| {
        let mut handle = cart(&session);
        handle.push("umbrella".to_owned());
        tokio::task::yield_now().await;
        AttributeMut::set(handle).unwrap();
        answer(())
    })
    .await;
    assert_eq!(found(&mut site).await, r#"["hat","umbrella"]"#);
    assert_eq!(discarded(&site), 0);
}

#[tokio::test]
async fn an_unchanged_value_is_nothing() {
    let mut site = begun(managed(Manager::Delta, true)).await;
    let sends = site.layer.statistics().sends();
    site.visit(async |session| answer(cart(&session).len())).await;
    assert_eq!((discarded(&site), site.layer.statistics().sends()), (0, sends));
}

#[tokio::test]
async fn what_is_set_meanwhile_wins_and_what_follows_a_set_belongs_to_it() {
    for manager in [Manager::Delta, Manager::Full] {
        let mut site = begun(managed(manager, false)).await;
        site.visit(async |session| {
            let mut handle = cart(&session);
            handle.push("void".to_owned());
            session.set("cart", &["coat"]).unwrap();
            drop(handle);
            assert_eq!(session.get::<Vec<String>>("cart").unwrap().unwrap(), ["coat"]);
            cart(&session).push("scarf".to_owned());
            answer(())
        })
        .await;
        assert_eq!(found(&mut site).await, r#"["coat","scarf"]"#, "{manager:?}");
        site.visit(async |session| {
            let mut handle = cart(&session);
            handle.clear();
            assert!(session.remove("cart").unwrap());
            drop(handle);
            answer(())
        })
        .await;
        assert_eq!((found(&mut site).await.as_str(), discarded(&site)), ("null", 0));
    }
}

#[tokio::test]
async fn an_attribute_has_one_handle_and_several_attributes_have_several() {
    let mut site = begun(managed(Manager::Full, false)).await;
    site.visit(async |session| {
        session.set("n", &1).unwrap();
        let mut one = cart(&session);
        let error = session.get_mut::<Vec<String>>("cart").unwrap_err();
        assert_eq!(error, SessionError::AlreadyBorrowed { name: "cart".to_owned() });
        let mut other = session.get_mut::<i32>("n").unwrap().unwrap();
        one.push("umbrella".to_owned());
        *other += 1;
        drop((one, other));
        cart(&session).push("scarf".to_owned());
        answer(())
    })
    .await;
    assert_eq!(found(&mut site).await, r#"["hat","umbrella","scarf"]"#);
    assert_eq!(site.visit(async |session| answer(session.get::<i32>("n").unwrap())).await.body, "2");
}

#[tokio::test]
async fn there_must_be_an_attribute_and_a_request_that_may_write() {
    let mut site = begun(usual()).await;
    site.visit(async |session| {
        assert!(session.get_mut::<u8>("none").unwrap().is_none());
        assert!(matches!(session.get_mut::<u8>("cart"), Err(SessionError::NotDecodable { .. })));
        answer(())
    })
    .await;
    let picture = Request::get("/logo.gif").body(Body::empty()).unwrap();
    let refused = site.send(picture, async |session| answer(session.get_mut::<u8>("cart").is_err())).await;
    assert_eq!(refused.body, "true");
    assert!(
        Site::new()
            .visit(async |session| answer(session.get_mut::<u8>("n").unwrap().is_none()))
            .await
            .set_cookie
            .is_none()
    );
}

#[tokio::test]
async fn a_handle_that_outlives_its_request_changes_nothing_and_is_counted() {
    let mut site = begun(managed(Manager::Full, false)).await;
    let kept = Arc::new(parking_lot::Mutex::new(None));
    let keeper = Arc::clone(&kept);
    site.visit(async move |session| {
        *keeper.lock() = Some(cart(&session));
        answer(())
    })
    .await;
    let mut late = kept.lock().take().unwrap();
    late.push("late".to_owned());
    drop(late);
    assert_eq!((found(&mut site).await.as_str(), discarded(&site)), (r#"["hat"]"#, 1));
}

#[tokio::test]
async fn after_an_invalidate_a_handle_of_the_old_session_is_void() {
    let mut site = begun(managed(Manager::Full, false)).await;
    site.visit(async |session| {
        let mut old = cart(&session);
        old.push("void".to_owned());
        session.invalidate().unwrap();
        session.set("cart", &["new"]).unwrap();
        drop(old);
        answer(())
    })
    .await;
    assert_eq!(found(&mut site).await, r#"["new"]"#);
}

/// Encodes until it is told not to.
#[derive(Debug, Deserialize)]
struct Moody {
    refuses: bool,
}

impl Serialize for Moody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.refuses {
            return Err(S::Error::custom("not today"));
        }
        std::collections::BTreeMap::from([("refuses", false)]).serialize(serializer)
    }
}

#[tokio::test]
async fn a_value_that_cannot_be_encoded_is_refused_by_its_name() {
    let mut site = begun(managed(Manager::Full, false)).await;
    site.visit(async |session| {
        let error = session.set("moody", &Moody { refuses: true }).unwrap_err();
        let SessionError::NotEncodable { name, reason } = error else { panic!("{error}") };
        assert_eq!((name.as_str(), reason.contains("not today")), ("moody", true));
        session.set("moody", &Moody { refuses: false }).unwrap();
        answer(())
    })
    .await;
    let reply = site
        .visit(async |session| {
            session.set("cart", &["coat"]).unwrap();
            session.get_mut::<Moody>("moody").unwrap().unwrap().refuses = true;
            answer(())
        })
        .await;
    assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!reply.body.contains("moody") && !reply.body.contains("not today"), "{}", reply.body);
    assert_eq!(found(&mut site).await, r#"["hat"]"#, "nothing of the request is committed");
}

#[tokio::test]
async fn a_value_that_grew_too_large_is_refused() {
    let mut settings = managed(Manager::Full, false);
    settings.session.max_attribute_bytes = 100;
    let mut site = begun(settings).await;
    let reply = site
        .visit(async |session| {
            cart(&session).push("x".repeat(200));
            answer(())
        })
        .await;
    assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(found(&mut site).await, r#"["hat"]"#);
}

#[tokio::test]
async fn bytes_are_changed_in_place_too() {
    let mut site = Site::with(managed(Manager::Full, false));
    site.visit(async |session| answer(session.set_bytes("raw", "abc").is_ok())).await;
    site.visit(async |session| {
        session.get_bytes_mut("raw").unwrap().unwrap().make_ascii_uppercase();
        answer(())
    })
    .await;
    site.visit(async |session| {
        assert_eq!(session.get_bytes("raw").unwrap(), "ABC");
        answer(())
    })
    .await;
}

/// The counter of the timestamp that `name` has, in the only session.
fn counter(site: &Site, name: &str) -> u64 {
    let row = site.engine.node().sessions(None, 1, site.engine.now()).remove(0);
    let (_, fields) = site.engine.node().peek(row.key).unwrap();
    fields.field(name).unwrap().timestamp.counter
}

#[tokio::test]
async fn with_full_only_what_changed_gets_a_new_timestamp() {
    for (manager, dirty_flag, restamps) in
        [(Manager::Full, true, false), (Manager::Full, false, false), (Manager::Delta, true, true)]
    {
        let mut site = begun(managed(manager, dirty_flag)).await;
        let before = counter(&site, "cart");
        let sends = site.layer.statistics().sends();
        site.visit(async |session| answer(session.set("cart", &["hat"]).is_ok())).await;
        assert_eq!(counter(&site, "cart") > before, restamps, "{manager:?}, dirty_flag = {dirty_flag}");
        assert_eq!(site.layer.statistics().sends(), sends + 1, "it is sent all the same");
        site.visit(async |session| answer(session.set("cart", &["coat"]).is_ok())).await;
        assert!(counter(&site, "cart") > before, "{manager:?}");
    }
}

#[tokio::test]
async fn who_only_reads_a_session_that_ends_meanwhile_has_no_conflict() {
    let mut settings = managed(Manager::Full, false);
    settings.session.on_ended = sessile_config::OnEnded::Conflict;
    for (writes, expected) in [(false, StatusCode::OK), (true, StatusCode::CONFLICT)] {
        let mut site = begun(settings.clone()).await;
        let host = Arc::clone(&site.host);
        let reply = site
            .visit(async move |session| {
                host.end(session.key().unwrap()).receipt().await;
                if writes {
                    session.set("n", &1).unwrap();
                }
                answer(())
            })
            .await;
        assert_eq!(reply.status, expected);
        assert_eq!(reply.set_cookie, None, "the next request with that cookie gets the removal");
    }
}

#[test]
fn a_handle_goes_wherever_its_value_may() {
    fn sendable<T: Send + Sync>() {}
    sendable::<AttributeMut<Vec<String>>>();
}
