//! Requests that are sent again under their key: one after the other, at once, on two nodes, after a death.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use futures_util::FutureExt as _;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use sessile::config::Mode;
use sessile::{IdempotencyLayer, Session, SessionError, idempotency_key};
use tokio::sync::Notify;
use tower::ServiceExt as _;

use crate::harness::{Browser, Node, Town};

/// What all handlers of one test share.
#[derive(Clone, Default)]
struct Works {
    carried_out: Arc<AtomicUsize>,
    entered: Arc<Notify>,
    go_on: Arc<Notify>,
}

impl Works {
    fn count(&self) -> usize {
        self.carried_out.load(Ordering::SeqCst)
    }

    fn on(&self, node: Node) -> Node {
        let app = Router::new()
            .route("/begin", get(async |session: Session| session.set("orders", &0)))
            .route("/orders", get(orders))
            .route("/order", post(order))
            .route("/slow", post(slow))
            .route("/panic", post(panics))
            .route("/fail", post(fails))
            .route("/report", post(report))
            .with_state(self.clone())
            .layer(IdempotencyLayer::new())
            .layer(node.cluster.session_layer());
        Node { app, cluster: node.cluster }
    }

    fn carry_out(&self, session: &Session) -> Result<(), SessionError> {
        self.carried_out.fetch_add(1, Ordering::SeqCst);
        session.set("orders", &(session.get::<u32>("orders")?.unwrap_or_default() + 1))
    }
}

async fn orders(session: Session) -> Result<String, SessionError> {
    Ok(session.get::<u32>("orders")?.unwrap_or_default().to_string())
}

async fn order(session: Session, State(works): State<Works>) -> Result<Response, SessionError> {
    works.carry_out(&session)?;
    Ok(Redirect::to(&format!("/thanks/{}", works.count())).into_response())
}

/// Waits, in the middle of it, until the test lets it go on.
async fn slow(session: Session, State(works): State<Works>) -> Result<String, SessionError> {
    works.entered.notify_one();
    works.go_on.notified().await;
    works.carry_out(&session)?;
    Ok("done".to_owned())
}

async fn panics(session: Session, State(works): State<Works>) -> Result<(), SessionError> {
    works.carry_out(&session)?;
    assert!(works.count() > 1, "the first time it falls");
    Ok(())
}

async fn fails(State(works): State<Works>) -> StatusCode {
    works.carried_out.fetch_add(1, Ordering::SeqCst);
    StatusCode::BAD_GATEWAY
}

/// Answers in parts, and says no length before.
async fn report(session: Session, State(works): State<Works>) -> Result<Body, SessionError> {
    works.carry_out(&session)?;
    let parts = ["order ".to_owned(), works.count().to_string()];
    Ok(Body::from_stream(futures_util::stream::iter(parts.map(Ok::<_, std::io::Error>))))
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    replayed: bool,
    location: String,
    body: String,
}

async fn send(node: &Node, browser: &Browser, path: &str, key: &str, body: &'static str) -> Answer {
    let request = Request::post(path)
        .header(COOKIE, browser.cookie.as_deref().unwrap_or_default())
        .header("idempotency-key", key)
        .header(CONTENT_LENGTH, body.len())
        .body(Body::from(body));
    answer(node.app.clone().oneshot(request.unwrap()).await.unwrap()).await
}

async fn answer(response: Response) -> Answer {
    let (head, body) = response.into_parts();
    let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let (replayed, location) =
        (header("idempotent-replayed").is_some(), header("location").unwrap_or_default());
    let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    Answer { status: head.status, replayed, location, body }
}

async fn pair() -> (Node, Node, Works, Browser) {
    pair_in(Town::new()).await
}

async fn pair_in(town: Town) -> (Node, Node, Works, Browser) {
    let (works, mut browser) = (Works::default(), Browser::default());
    let (a, b) = town.pair().await;
    let (a, b) = (works.on(a), works.on(b));
    browser.ok(&a, "/begin").await;
    (a, b, works, browser)
}

#[tokio::test]
async fn what_is_sent_again_gets_the_first_answer_on_every_node() {
    let (a, b, works, browser) = pair().await;
    let first = send(&a, &browser, "/order", "k1", "umbrella").await;
    assert_eq!(
        (first.status, first.replayed, first.location.as_str()),
        (StatusCode::SEE_OTHER, false, "/thanks/1")
    );
    for node in [&a, &b] {
        let again = send(node, &browser, "/order", "\"k1\"", "umbrella").await;
        assert_eq!(
            (again.status, again.replayed, again.location.as_str()),
            (StatusCode::SEE_OTHER, true, "/thanks/1")
        );
        assert_eq!(browser.clone().ok(node, "/orders").await, "1");
    }
    let other = send(&b, &browser, "/order", "k1", "coat").await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", other.body);
    assert_eq!(send(&b, &browser, "/order", "k2", "coat").await.location, "/thanks/2");
    assert_eq!(works.count(), 2);
    assert_eq!(
        (a.metric("sessile_requests_replayed_total"), b.metric("sessile_requests_replayed_total")),
        (1, 1)
    );
    assert_eq!(a.cluster.session_count(), 1);
}

#[tokio::test]
async fn the_death_of_the_node_that_answered_changes_nothing() {
    let (a, b, works, browser) = pair().await;
    send(&a, &browser, "/order", "k1", "umbrella").await;
    drop(a);
    let again = send(&b, &browser, "/order", "k1", "umbrella").await;
    assert_eq!((again.replayed, again.location.as_str()), (true, "/thanks/1"));
    assert_eq!(works.count(), 1);
}

#[tokio::test]
async fn an_answer_whose_length_nobody_told_is_given_again_on_every_node() {
    let (a, b, works, browser) = pair().await;
    for (node, replayed) in [(&a, false), (&a, true), (&b, true)] {
        let answer = send(node, &browser, "/report", "k1", "").await;
        assert_eq!(
            (answer.status, answer.replayed, answer.body.as_str()),
            (StatusCode::OK, replayed, "order 1")
        );
    }
    assert_eq!(works.count(), 1);
    drop(a);
    assert_eq!(send(&b, &browser, "/report", "k1", "").await.body, "order 1", "also after a death");
}

#[tokio::test]
async fn a_form_has_its_key_in_a_hidden_field() {
    let (a, b, works, browser) = pair().await;
    let form = format!("item=umbrella&idempotency_key={}", idempotency_key());
    for (node, replayed) in [(&a, false), (&b, true)] {
        let request = Request::post("/order")
            .header(COOKIE, browser.cookie.as_deref().unwrap())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(CONTENT_LENGTH, form.len())
            .body(Body::from(form.clone()));
        let answer = answer(node.app.clone().oneshot(request.unwrap()).await.unwrap()).await;
        assert_eq!((answer.replayed, answer.location.as_str()), (replayed, "/thanks/1"));
    }
    assert_eq!(works.count(), 1);
}

#[tokio::test]
async fn whoever_comes_while_it_runs_waits_for_its_answer_here_and_elsewhere() {
    let (a, b, works, browser) = pair().await;
    let first = send(&a, &browser, "/slow", "k1", "");
    let others = async {
        works.entered.notified().await;
        let more = async {
            tokio::join!(send(&a, &browser, "/slow", "k1", ""), send(&b, &browser, "/slow", "k1", ""))
        };
        let free = async {
            // Another key does not wait.
            assert_eq!(send(&b, &browser, "/order", "k2", "").await.location, "/thanks/1");
            works.go_on.notify_one();
        };
        tokio::join!(more, free).0
    };
    let (first, (here, elsewhere)) = tokio::join!(first, others);
    assert_eq!((first.body.as_str(), first.replayed), ("done", false));
    assert_eq!((here.body.as_str(), here.replayed), ("done", true));
    assert_eq!((elsewhere.body.as_str(), elsewhere.replayed), ("done", true));
    assert_eq!(works.count(), 2, "one for each key");
}

#[tokio::test]
async fn a_double_click_that_reaches_two_nodes_counts_once() {
    double_clicks(Mode::Pipelined).await;
}

#[tokio::test]
async fn so_it_does_when_frames_may_overtake_each_other() {
    double_clicks(Mode::Pooled).await;
}

#[tokio::test]
async fn and_when_responses_do_not_wait_for_copies() {
    double_clicks(Mode::Async).await;
}

async fn double_clicks(mode: Mode) {
    let (a, b, works, browser) = pair_in(Town::with(move |config| config.sender.mode = mode)).await;
    let orders = |node: &Node| node.cluster.sessions(None, 1).len();
    for node in [&a, &b] {
        node.until("the session is here", |node| orders(node) == 1).await;
    }
    for round in 1..=20 {
        let key = idempotency_key();
        let (one, other) =
            tokio::join!(send(&a, &browser, "/order", &key, "x"), send(&b, &browser, "/order", &key, "x"));
        assert_eq!((one.status, other.status), (StatusCode::SEE_OTHER, StatusCode::SEE_OTHER));
        assert_ne!(one.replayed, other.replayed, "one of them carries it out");
        assert_eq!(one.location, other.location);
        assert_eq!(works.count(), round);
    }
}

#[tokio::test]
async fn what_was_not_carried_out_may_be_tried_again() {
    let (a, b, works, browser) = pair().await;
    let (node, visitor) = (a.clone(), browser.clone());
    let fallen = tokio::spawn(async move { send(&node, &visitor, "/panic", "k1", "").await }).await;
    assert!(fallen.is_err(), "the handler panicked");
    let second = send(&b, &browser, "/panic", "k1", "").await;
    assert_eq!((second.status, second.replayed), (StatusCode::OK, false));
    assert_eq!(browser.clone().ok(&a, "/orders").await, "1", "the panic left nothing");
    for _ in 0..2 {
        let failed = send(&a, &browser, "/fail", "k2", "").await;
        assert_eq!((failed.status, failed.replayed), (StatusCode::BAD_GATEWAY, false));
    }
    assert_eq!(works.count(), 4);
}

#[tokio::test]
async fn a_client_that_hung_up_lets_the_next_one_try() {
    let (a, b, works, browser) = pair().await;
    {
        let hung_up = send(&a, &browser, "/slow", "k1", "");
        tokio::select! {
            _ = hung_up => panic!("it waits"),
            () = works.entered.notified() => {}
        }
    }
    works.go_on.notify_one();
    let second = send(&b, &browser, "/slow", "k1", "").await;
    assert_eq!((second.body.as_str(), second.replayed), ("done", false));
    assert_eq!(works.count(), 1);
}

#[tokio::test]
async fn a_client_that_hung_up_before_the_handler_began_lets_the_next_one_try() {
    let (a, b, works, browser) = pair().await;
    // More often than a node has slots: none of them stays taken.
    for round in 0..20 {
        // The claim is on its way to the other node, whose task cannot run meanwhile.
        let first = send(&a, &browser, "/order", "k1", "").now_or_never();
        assert!(first.is_none(), "round {round}");
    }
    for (node, key) in [(&b, "k1"), (&a, "k2")] {
        let next = send(node, &browser, "/order", key, "").await;
        assert_eq!((next.status, next.replayed), (StatusCode::SEE_OTHER, false), "{next:?}");
    }
    assert_eq!(works.count(), 2);
}

#[tokio::test]
async fn of_many_keys_the_last_are_remembered_and_the_session_does_not_grow() {
    let (a, _b, works, browser) = pair().await;
    let bytes = || a.cluster.sessions(None, 1)[0].bytes;
    let mut sizes = Vec::new();
    for number in 0..40 {
        let key = format!("key-{number:02}");
        assert!(!send(&a, &browser, "/order", &key, "").await.replayed);
        sizes.push(bytes());
    }
    assert!(sizes[39] < sizes[15] + 64, "{sizes:?}");
    assert!(send(&a, &browser, "/order", "key-39", "").await.replayed);
    assert!(send(&a, &browser, "/order", "key-24", "").await.replayed);
    assert!(!send(&a, &browser, "/order", "key-23", "").await.replayed, "it was forgotten");
    assert_eq!(works.count(), 41);
}

#[tokio::test]
async fn without_a_session_or_a_good_key() {
    let (a, _, works, browser) = pair().await;
    let nobody = Browser::default();
    for _ in 0..2 {
        assert!(!send(&a, &nobody, "/order", "k1", "").await.replayed);
    }
    assert_eq!(works.count(), 2);
    assert_eq!(send(&a, &browser, "/order", "two words", "").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(works.count(), 2);
}
