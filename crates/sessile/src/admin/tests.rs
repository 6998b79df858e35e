//! Tests of the guards; the program's tests check the pages on running nodes.

use axum::body::{Body, to_bytes};
use http::{Request, StatusCode};
use tower::ServiceExt;

use super::{AdminPort, caller_proof, node_proof};
use crate::Config;

const TOKEN: &str = "the token of the test";

fn config() -> Config {
    let mut config = Config::default();
    config.admin.allowed_hosts = vec!["tc01.example".to_owned()];
    config
}

/// The status and the text of the answer to a request of these headers, before the node has joined.
async fn ask(listen: &str, line: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let port = AdminPort::new(
        &config(),
        vec![TOKEN.to_owned(), "of the old secret".to_owned()],
        listen.parse().ok(),
    );
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = port.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = answer.status();
    let text = String::from_utf8(to_bytes(answer.into_body(), 4096).await.unwrap().to_vec()).unwrap();
    if status.is_client_error() {
        let answered: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(answered["error"].is_string(), "errors are JSON in words: {text}");
    }
    (status.as_u16(), text)
}

async fn status(line: &str, headers: &[(&str, &str)]) -> u16 {
    ask("127.0.0.1:9005", line, headers).await.0
}

#[tokio::test]
async fn health_is_free_and_knows_that_the_node_has_not_joined() {
    assert_eq!(status("GET /healthz", &[]).await, 200);
    let (status, text) = ask("127.0.0.1:9005", "GET /readyz", &[("host", "probe.example")]).await;
    assert_eq!((status, text.as_str()), (503, "not ready: joining its cluster\n"));
}

#[tokio::test]
async fn confidential_pages_need_the_token() {
    let host = ("host", "localhost:9005");
    let right = format!("Bearer {TOKEN}");
    for wrong in
        ["", "Bearer", "Bearer ", TOKEN, "Basic the token of the test", "Bearer the token of the tesT"]
    {
        for page in ["GET /members", "GET /sessions"] {
            assert_eq!(status(page, &[host, ("authorization", wrong)]).await, 401, "{page} {wrong}");
        }
    }
    assert_eq!(status("GET /members", &[host]).await, 401);
    // Past the guard: the node has not joined.
    assert_eq!(status("GET /members", &[host, ("authorization", &right)]).await, 503);
    let old = ("authorization", "Bearer of the old secret");
    assert_eq!(status("GET /members", &[host, old]).await, 503, "two secrets are accepted during a rotation");
    assert_eq!(status("GET /metrics", &[host]).await, 503);
}

#[tokio::test]
async fn changes_need_the_token_and_post() {
    let host = ("host", "localhost:9005");
    let right = format!("Bearer {TOKEN}");
    for page in ["/stop", "/drain", "/resume", "/route?rewrite=true", "/resync", "/secrets/reload"] {
        assert_eq!(status(&format!("POST {page}"), &[host]).await, 401, "{page}");
        assert_eq!(status(&format!("GET {page}"), &[host, ("authorization", &right)]).await, 405, "{page}");
        let expected = if page == "/stop" { 501 } else { 503 };
        assert_eq!(
            status(&format!("POST {page}"), &[host, ("authorization", &right)]).await,
            expected,
            "{page}"
        );
    }
    assert_eq!(status("POST /route?rewrite=maybe", &[host, ("authorization", &right)]).await, 400);
}

#[tokio::test]
async fn a_stop_runs_once_and_all_requesters_get_its_outcome() {
    let port = AdminPort::new(&config(), vec![TOKEN.to_owned()], "127.0.0.1:9005".parse().ok());
    let mut requests = port.stop_requests();
    let ask = || {
        let request = Request::post("/stop")
            .header("host", "localhost")
            .header("authorization", format!("Bearer {TOKEN}"));
        let answer = port.router().oneshot(request.body(Body::empty()).unwrap());
        async move { to_bytes(answer.await.unwrap().into_body(), 4096).await.unwrap() }
    };
    let stopping = async {
        requests.asked().await;
        requests.done(super::StopOutcome::unfinished("tc02 lacks 3 sessions".to_owned()));
    };
    let (one, other, ()) = tokio::join!(ask(), ask(), stopping);
    assert_eq!(one, other);
    let answered: serde_json::Value = serde_json::from_slice(&one).unwrap();
    assert_eq!((&answered["drained"], &answered["left"]), (&false.into(), &"tc02 lacks 3 sessions".into()));
}

#[tokio::test]
async fn a_foreign_host_name_is_refused() {
    for (listen, host, expected) in [
        ("127.0.0.1:9005", "127.0.0.1:9005", 503),
        ("127.0.0.1:9005", "LOCALHOST", 503),
        ("127.0.0.1:9005", "[::1]:9005", 503),
        ("127.0.0.1:9005", "evil.example:9005", 403),
        ("127.0.0.1:9005", "localhost.evil.example", 403),
        ("127.0.0.1:9005", "10.0.0.5:9005", 403),
        ("10.0.0.5:9005", "10.0.0.5:9005", 503),
        ("0.0.0.0:9005", "10.0.0.5:9005", 503),
        ("0.0.0.0:9005", "evil.example", 403),
        ("[::]:9005", "[fd00::5]:9005", 503),
        ("127.0.0.1:9005", "", 403),
        ("127.0.0.1:9005", "a b", 403),
    ] {
        assert_eq!(
            ask(listen, "GET /metrics", &[("host", host)]).await.0,
            expected,
            "{listen} asked as {host}"
        );
    }
    assert_eq!(status("GET /metrics", &[]).await, 403);
    assert_eq!(status("GET /metrics", &[("host", "localhost"), ("host", "evil.example")]).await, 403);
}

#[tokio::test]
async fn unknown_pages_methods_and_queries_have_different_statuses() {
    let authorization = format!("Bearer {TOKEN}");
    let headers = [("host", "localhost"), ("authorization", authorization.as_str())];
    assert_eq!(status("GET /", &headers).await, StatusCode::NOT_FOUND);
    assert_eq!(status("POST /members", &headers).await, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(status("DELETE /metrics", &headers).await, StatusCode::METHOD_NOT_ALLOWED);
    for question in ["limit=0", "limit=1001", "limit=x", "after=x", "page=2"] {
        assert_eq!(status(&format!("GET /sessions?{question}"), &headers).await, 400, "{question}");
    }
}

/// One request to this very port.
async fn ask_port(port: &AdminPort, line: &str, headers: &[(&str, &str)]) -> (u16, serde_json::Value) {
    let (method, path) = line.split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(path).header("host", "localhost");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = port.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    let body = to_bytes(answer.into_body(), 4096).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

#[tokio::test]
async fn a_caller_proves_that_it_has_the_token_once_for_one_request_at_one_node() {
    let port = AdminPort::new(&config(), vec![TOKEN.to_owned()], "127.0.0.1:9005".parse().ok());
    let challenge = async || {
        let (status, answer) = ask_port(&port, "GET /challenge?nonce=mine", &[]).await;
        assert_eq!(status, 200);
        let nonce = answer["nonce"].as_str().unwrap().to_owned();
        assert_eq!(answer["proofs"], serde_json::json!([node_proof(TOKEN, "tc01", "mine", &nonce)]));
        nonce
    };
    let prove = async |nonce: &str, token: &str, name: &str, proven: &str, line: &str| {
        let (method, target) = proven.split_once(' ').unwrap();
        let proof = caller_proof(token, name, nonce, method, target);
        let authorization = format!("Sessile {nonce}:{proof}");
        ask_port(&port, line, &[("authorization", &authorization)]).await.0
    };
    let members = "GET /members";
    let nonce = challenge().await;
    // Past the guard: the node has not joined.
    assert_eq!(prove(&nonce, TOKEN, "tc01", members, members).await, 503);
    assert_eq!(prove(&nonce, TOKEN, "tc01", members, members).await, 401, "a nonce is good once");
    assert_eq!(prove("invented", TOKEN, "tc01", members, members).await, 401);
    assert_eq!(prove(&challenge().await, "another", "tc01", members, members).await, 401);
    assert_eq!(prove(&challenge().await, TOKEN, "tc02", members, members).await, 401);
    assert_eq!(prove(&challenge().await, TOKEN, "tc01", members, "GET /status").await, 401);
    assert_eq!(prove(&challenge().await, TOKEN, "tc01", "GET /stop", "POST /stop").await, 401);
}

#[tokio::test]
async fn a_transport_that_knows_the_operator_needs_no_token_and_a_header_does_not_claim_it() {
    let port = AdminPort::new(&config(), vec![TOKEN.to_owned()], None);
    assert_eq!(ask_port(&port, "GET /members", &[("authorization", "ProvenOperator")]).await.0, 401);
    let request = Request::builder().uri("/members").header("host", "localhost").body(Body::empty()).unwrap();
    let answer = AdminPort::for_operators(port.router()).oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "past the guard: the node has not joined");
}

#[tokio::test]
async fn hosts_that_the_configuration_allows_may_be_named() {
    for (host, expected) in [
        ("tc01.example", 503),
        ("TC01.example:9005", 503),
        ("tc01.example.evil", 403),
        ("evil.tc01.example", 403),
        ("10.0.0.7", 403),
    ] {
        assert_eq!(status("GET /metrics", &[("host", host)]).await, expected, "{host}");
    }
}
