//! What becomes of a request's writes, however the request ends.

use futures_util::FutureExt as _;
use sessile_core::Receipt;

use super::*;
use crate::SessionError;
use sessile_config::OnEnded;

async fn put_one(session: Session) -> Response<Body> {
    session.set("n", "one").unwrap();
    answer(())
}

/// A site with a session whose attribute `n` is `one`.
async fn begun(settings: SessionSettings) -> Site {
    let mut site = Site::with(settings);
    site.visit(put_one).await;
    site
}

#[tokio::test]
async fn a_request_reads_what_it_wrote() {
    let mut site = begun(usual()).await;
    let reply = site
        .visit(async |session| {
            session.set("m", &2).unwrap();
            session.set("m", &3).unwrap();
            assert!(session.remove("n").unwrap() && !session.remove("n").unwrap());
            answer((session.get::<i32>("m").unwrap(), session.get::<String>("n").unwrap(), session.names()))
        })
        .await;
    assert_eq!(reply.body, r#"[3,null,["m"]]"#);
    assert_eq!(site.text("n").await, None);
}

#[tokio::test]
async fn a_server_error_commits() {
    let mut site = Site::new();
    site.visit(async |session| {
        session.set("n", "one").unwrap();
        status(StatusCode::INTERNAL_SERVER_ERROR)
    })
    .await;
    assert_eq!(site.text("n").await.as_deref(), Some("one"));
}

#[tokio::test]
async fn a_panic_leaves_no_change() {
    let mut site = begun(usual()).await;
    let (layer, cookie) = (site.layer.clone(), site.cookie.clone().unwrap());
    let request = Request::get("/").header(COOKIE, cookie).body(Body::empty()).unwrap();
    let panicking = tokio::spawn(async move {
        send(&layer, request, async |session: Session| -> Response<Body> {
            session.set("n", "two").unwrap();
            panic!("as a handler may")
        })
        .await
    });
    assert!(panicking.await.unwrap_err().is_panic());
    assert_eq!(site.text("n").await.as_deref(), Some("one"));
}

#[tokio::test]
async fn a_handler_that_was_dropped_leaves_no_change() {
    let mut site = begun(usual()).await;
    let request = Request::get("/").header(COOKIE, site.cookie.clone().unwrap()).body(Body::empty()).unwrap();
    let kept = Arc::new(std::sync::Mutex::new(None));
    let slot = Arc::clone(&kept);
    let unanswered = send(&site.layer, request, async move |session: Session| {
        session.set("n", "two").unwrap();
        *slot.lock().unwrap() = Some(session);
        std::future::pending().await
    });
    assert!(unanswered.now_or_never().is_none());
    assert_eq!(site.text("n").await.as_deref(), Some("one"));
    let session = kept.lock().unwrap().take().unwrap();
    assert_eq!(session.set("n", "three"), Err(SessionError::Committed), "nobody would commit it");
}

#[tokio::test]
async fn an_end_and_a_change_of_id_stay_though_the_client_hung_up() {
    for ending in [Session::change_id, |session: &Session| session.invalidate().map(drop)] {
        let mut site = begun(usual()).await;
        let request =
            Request::get("/").header(COOKIE, site.cookie.clone().unwrap()).body(Body::empty()).unwrap();
        let unanswered = send(&site.layer, request, move |session: Session| async move {
            ending(&session).unwrap();
            std::future::pending().await
        });
        assert!(unanswered.now_or_never().is_none());
        let keyed = site.visit(async |session| answer(session.key().is_some())).await;
        assert_eq!(keyed.body, "false", "the cookie that the client has opens nothing");
    }
}

#[tokio::test]
async fn an_end_answers_with_the_removal_cookie() {
    let mut site = begun(usual()).await;
    let old = site.cookie.clone();
    let reply =
        site.visit(async |session| answer((session.invalidate().unwrap(), session.key().is_none()))).await;
    assert_eq!(reply.body, "[true,true]");
    assert_eq!(reply.set_cookie.as_deref(), Some("sid=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"));
    site.cookie = old;
    assert_eq!(site.text("n").await, None);
}

#[tokio::test]
async fn what_is_written_after_an_end_is_a_new_session() {
    let mut site = begun(usual()).await;
    let key = site.visit(async |session| answer(session.key().unwrap().to_string())).await.body;
    let reply = site
        .visit(async |session| {
            session.invalidate().unwrap();
            session.set("m", "new").unwrap();
            answer(session.key().unwrap().to_string())
        })
        .await;
    assert_ne!(reply.body, key);
    assert_eq!((site.text("n").await, site.text("m").await), (None, Some("new".to_owned())));
}

#[tokio::test]
async fn without_a_session_remove_and_invalidate_make_none() {
    let mut site = Site::new();
    let reply = site
        .visit(async |session| answer((session.remove("n").unwrap(), session.invalidate().unwrap())))
        .await;
    assert_eq!((reply.body.as_str(), reply.set_cookie), ("[false,false]", None));
}

#[tokio::test]
async fn writes_to_a_session_that_ended_meanwhile_are_dropped() {
    for (on_ended, expected) in [(OnEnded::Ignore, StatusCode::OK), (OnEnded::Conflict, StatusCode::CONFLICT)]
    {
        let mut site = begun(SessionSettings {
            receipt_header: true,
            ..sessions(|session| session.on_ended = on_ended)
        })
        .await;
        let host = Arc::clone(&site.host);
        let reply = site
            .visit(move |session| {
                let host = Arc::clone(&host);
                async move {
                    session.set("n", "late").unwrap();
                    host.end(session.key().unwrap()).receipt().await;
                    answer(())
                }
            })
            .await;
        assert_eq!(reply.status, expected);
        assert_eq!(reply.set_cookie, None, "the browser may have a newer one");
        assert_eq!(reply.response.headers()["sessile-receipt"], "ended");
        assert!(reply.response.extensions().get::<Receipt>().unwrap().ended);
        assert_eq!(site.text("n").await, None);
    }
}

#[tokio::test]
async fn a_handle_that_outlives_its_request_reads_what_the_request_read() {
    let mut site = begun(usual()).await;
    let kept = Arc::new(std::sync::Mutex::new(None));
    let slot = Arc::clone(&kept);
    site.visit(move |session| {
        session.set("other", "two").unwrap();
        *slot.lock().unwrap() = Some(session);
        async { answer(()) }
    })
    .await;
    site.visit(async move |session: Session| {
        session.set("n", "three").unwrap();
        answer(())
    })
    .await;
    assert_eq!(site.text("n").await.as_deref(), Some("three"));
    let session = kept.lock().unwrap().take().unwrap();
    assert_eq!(session.get::<String>("n"), Ok(Some("one".to_owned())));
    assert_eq!(session.names(), ["n", "other"]);
}

#[tokio::test]
async fn after_the_head_of_the_response_writes_are_an_error() {
    let mut site = Site::new();
    let kept = Arc::new(std::sync::Mutex::new(None));
    let slot = Arc::clone(&kept);
    site.visit(move |session| {
        session.set("n", "one").unwrap();
        *slot.lock().unwrap() = Some(session);
        async { answer(()) }
    })
    .await;
    let session = kept.lock().unwrap().take().unwrap();
    assert_eq!(session.set("n", "two"), Err(SessionError::Committed));
    assert_eq!(session.invalidate(), Err(SessionError::Committed));
    assert_eq!(session.get::<String>("n"), Ok(Some("one".to_owned())));
    assert_eq!(session.receipt().map(|receipt| receipt.copies), Some(1));
}

#[tokio::test]
async fn receipts_appear_in_headers_only_where_configured() {
    let mut silent = Site::new();
    let reply = silent.visit(put_one).await;
    assert!(!reply.response.headers().contains_key("sessile-receipt"));
    assert_eq!(reply.response.extensions().get::<Receipt>().map(|receipt| receipt.copies), Some(1));

    let mut reporting = Site::with(SessionSettings { receipt_header: true, ..usual() });
    assert_eq!(reporting.visit(put_one).await.response.headers()["sessile-receipt"], "copies=1/1");
    let read = reporting.visit(async |session| answer(session.get::<String>("n").unwrap())).await;
    assert!(!read.response.headers().contains_key("sessile-receipt"), "nothing was sent");
}

#[tokio::test]
async fn requests_and_sends_are_counted() {
    let mut site = begun(usual()).await;
    site.text("n").await;
    let statistics = site.layer.statistics();
    assert_eq!((statistics.requests(), statistics.filtered(), statistics.sends()), (2, 0, 1));
    assert!(statistics.request_time() >= statistics.cluster_time());
}
