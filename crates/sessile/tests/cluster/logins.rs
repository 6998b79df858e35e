//! The change of a session's id, with requests on two nodes that meet it.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use sessile::{Session, SessionError};
use tokio::sync::Barrier;

use crate::harness::{Browser, Node, Town};

/// Two nodes, and what their requests to `/meet/…` wait at between opening their session and using it.
async fn pair() -> (Node, Node, Arc<Barrier>) {
    let (a, b) = Town::new().pair().await;
    let barrier = Arc::new(Barrier::new(2));
    let with_app = |Node { cluster, .. }| Node {
        app: app(Arc::clone(&barrier)).layer(cluster.session_layer()),
        cluster,
    };
    (with_app(a), with_app(b), barrier)
}

fn app(barrier: Arc<Barrier>) -> Router {
    let (to_write, to_log_in) = (Arc::clone(&barrier), barrier);
    let write = async move |session: Session| {
        to_write.wait().await; // opened
        to_write.wait().await; // the other one is over
        session.set("late", "written")
    };
    let log_in = async move |session: Session| {
        to_log_in.wait().await;
        log_in(session).await
    };
    Router::new()
        .route("/begin", get(async |session: Session| session.set("early", "here")))
        .route("/read", get(read))
        .route("/log-in", get(self::log_in))
        .route("/meet/write", get(write))
        .route("/meet/log-in", get(log_in))
}

async fn log_in(session: Session) -> Result<(), SessionError> {
    session.set_principal(Some("ada"), Some("FORM"))?;
    session.change_id()
}

async fn read(session: Session) -> Result<String, SessionError> {
    let text = |name: &str| session.get::<String>(name).map(Option::unwrap_or_default);
    Ok(format!("{} {} {}", session.principal().unwrap_or_default(), text("early")?, text("late")?))
}

#[tokio::test]
async fn a_request_that_a_login_overtook_commits_and_its_cookie_is_dead() {
    let (a, b, barrier) = pair().await;
    let mut browser = Browser::default();
    browser.ok(&a, "/begin").await;
    let old = browser.clone();
    let mut overtaken = old.clone();
    tokio::join!(overtaken.ok(&b, "/meet/write"), async {
        barrier.wait().await;
        browser.ok(&a, "/log-in").await;
        barrier.wait().await;
    });
    for node in [&a, &b] {
        assert_eq!(browser.ok(node, "/read").await, "ada here written");
        assert_eq!(
            old.clone().ok(node, "/read").await,
            " here ",
            "the old cookie shows what was there before"
        );
        assert_eq!(node.cluster.session_count(), 1);
    }
}

#[tokio::test]
async fn two_logins_at_once_leave_both_new_cookies_and_not_the_old_one() {
    let (a, b, _) = pair().await;
    let mut one = Browser::default();
    one.ok(&a, "/begin").await;
    let (old, mut other) = (one.clone(), one.clone());
    tokio::join!(one.ok(&a, "/meet/log-in"), other.ok(&b, "/meet/log-in"));
    assert_ne!(one.cookie, other.cookie);
    for node in [&a, &b] {
        for valid in [&one, &other] {
            assert_eq!(valid.clone().ok(node, "/read").await, "ada here ");
        }
        assert_eq!(
            old.clone().ok(node, "/read").await,
            " here ",
            "what was there before, and nobody logged in"
        );
        assert_eq!(node.cluster.session_count(), 1, "it is one session");
    }
}
