//! What an application may write, and where.

use axum::response::IntoResponse as _;
use http::HeaderValue;

use super::*;
use crate::SessionError;

#[tokio::test]
async fn on_filtered_paths_the_session_is_read_only() {
    let mut site = Site::new();
    site.visit(async |session| answer(session.set("n", "one").is_ok())).await;
    let picture = || Request::get("/logo.gif").body(Body::empty()).unwrap();
    let reply = site
        .send(picture(), async |session| {
            assert_eq!(session.set("n", "two"), Err(SessionError::ReadOnly));
            assert_eq!(session.remove("n"), Err(SessionError::ReadOnly));
            assert_eq!(session.change_id(), Err(SessionError::ReadOnly));
            assert_eq!(session.invalidate(), Err(SessionError::ReadOnly));
            answer(session.get::<String>("n").unwrap())
        })
        .await;
    assert_eq!((reply.body.as_str(), reply.set_cookie), ("\"one\"", None));
    let statistics = site.layer.statistics();
    assert_eq!((statistics.requests(), statistics.filtered(), statistics.sends()), (2, 1, 1));
}

#[tokio::test]
async fn an_attribute_or_a_session_over_its_bound_is_refused_at_once() {
    let mut site =
        Site::with(sessions(|session| (session.max_attribute_bytes, session.max_session_bytes) = (100, 200)));
    site.visit(async |session| {
        let error = session.set_bytes("big", vec![0; 101]).unwrap_err();
        assert_eq!(error, SessionError::AttributeTooLarge { name: "big".to_owned(), bytes: 101, max: 100 });
        assert_eq!(error.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(session.key(), None, "a refused write makes no session");
        session.set_bytes("a", vec![0; 99]).unwrap();
        session.set_bytes("b", vec![0; 99]).unwrap();
        session.set_bytes("b", vec![1; 99]).unwrap();
        assert_eq!(
            session.set_bytes("c", vec![]),
            Err(SessionError::SessionTooLarge { bytes: 201, max: 200 })
        );
        session.remove("a").unwrap();
        session.set_bytes("c", vec![2; 90]).unwrap();
        answer(())
    })
    .await;
    assert_eq!(site.visit(async |session| answer(session.names())).await.body, r#"["b","c"]"#);
}

#[tokio::test]
async fn a_value_of_another_type_affects_only_itself() {
    let mut site = Site::new();
    site.visit(async |session| {
        session.set("text", "not a number").unwrap();
        session.set_bytes("raw", "bytes").unwrap();
        session.set("good", &7).unwrap();
        answer(())
    })
    .await;
    site.visit(async |session| {
        for name in ["text", "raw"] {
            let error = session.get::<u32>(name).unwrap_err();
            assert!(
                matches!(&error, SessionError::NotDecodable { name: named, .. } if named == name),
                "{error}"
            );
        }
        assert_eq!(session.get_bytes("raw").unwrap(), "bytes");
        answer(session.get::<u32>("good").unwrap())
    })
    .await;
}

#[tokio::test]
async fn names_that_cannot_be_are_refused() {
    Site::new()
        .visit(async |session| {
            assert!(matches!(session.set("", &1), Err(SessionError::BadName(_))));
            assert!(matches!(session.set("\0principal", &1), Err(SessionError::BadName(_))));
            assert_eq!(session.key(), None);
            answer(())
        })
        .await;
}

#[tokio::test]
async fn an_application_cannot_claim_that_it_did_not_process() {
    let reply = Site::new()
        .visit(async |_| {
            let mut response = answer(());
            response.headers_mut().insert("sessile-unprocessed", HeaderValue::from_static("1"));
            response
        })
        .await;
    assert!(!reply.response.headers().contains_key("sessile-unprocessed"));
}

#[tokio::test]
async fn idle_time_and_principal_are_kept() {
    let mut site = Site::new();
    let hour = std::time::Duration::from_secs(3600);
    site.visit(async move |session| {
        assert_eq!(session.max_inactive(), usual().session.timeout);
        session.set_max_inactive(hour).unwrap();
        session.set_principal(Some("ada"), Some("FORM")).unwrap();
        answer(())
    })
    .await;
    let seen =
        site.visit(async |session| answer((session.max_inactive().as_secs(), session.principal()))).await;
    assert_eq!(seen.body, r#"[3600,"ada"]"#);
    site.visit(async |session| answer(session.set_principal(None, None).is_ok())).await;
    assert_eq!(site.visit(async |session| answer(session.principal())).await.body, "null");
}

#[tokio::test]
async fn a_handler_takes_the_session_as_an_argument() {
    async fn count(session: Session) -> Result<String, SessionError> {
        let visits = session.get::<u32>("visits")?.unwrap_or(0) + 1;
        session.set("visits", &visits)?;
        Ok(visits.to_string())
    }
    let bare = axum::Router::new().route("/", axum::routing::get(count));
    let request = || Request::get("/").body(Body::empty()).unwrap();
    let missing = bare.clone().oneshot(request()).await.unwrap();
    assert_eq!(missing.status(), StatusCode::INTERNAL_SERVER_ERROR);

    let router = bare.layer(Site::new().layer);
    let first = router.clone().oneshot(request()).await.unwrap();
    let cookie = first.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let mut again = request();
    again.headers_mut().insert(COOKIE, cookie.parse().unwrap());
    let second = router.oneshot(again).await.unwrap();
    assert_eq!(second.into_body().collect().await.unwrap().to_bytes(), "2");
}

#[tokio::test]
async fn a_node_that_is_not_ready_says_that_it_did_not_process() {
    let mut site = Site::on(Node::new, usual());
    let reply = site.visit(async |_| unreachable!("the application must not see this request")).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(reply.response.headers()["retry-after"], "1");
    assert_eq!(reply.response.headers()["sessile-unprocessed"], "1");
    assert_eq!((site.layer.statistics().requests(), site.layer.statistics().unprocessed()), (1, 1));
}

async fn put(session: Session) -> Response<Body> {
    match session.set("n", "one") {
        Ok(()) => answer(()),
        Err(error) => error.into_response(),
    }
}

#[tokio::test]
async fn without_room_for_one_more_session_the_answer_is_503() {
    let mut site = Site::new();
    for _ in 0..MAX_ACTIVE {
        site.cookie = None;
        assert_eq!(site.visit(put).await.status, StatusCode::OK);
    }
    assert_eq!(site.visit(put).await.status, StatusCode::OK, "a session that is there goes on");
    site.cookie = None;
    let reply = site.visit(put).await;
    assert_eq!((reply.status, reply.set_cookie), (StatusCode::SERVICE_UNAVAILABLE, None));
    assert_eq!(reply.response.headers()["retry-after"], "1");
    assert!(!reply.response.headers().contains_key("sessile-unprocessed"), "the application ran");
}

#[tokio::test]
async fn room_that_others_took_meanwhile_is_missed_at_the_commit() {
    let mut site = Site::new();
    let layer = site.layer.clone();
    let reply = site
        .visit(async move |session| {
            session.set("n", "one").unwrap();
            for _ in 0..MAX_ACTIVE {
                let other = Request::get("/").body(Body::empty()).unwrap();
                assert_eq!(send(&layer, other, put).await.status, StatusCode::OK);
            }
            answer(())
        })
        .await;
    assert_eq!((reply.status, reply.set_cookie), (StatusCode::SERVICE_UNAVAILABLE, None));
    assert_eq!(reply.response.headers()["retry-after"], "1");
}
