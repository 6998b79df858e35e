//! The admin port: who is answered, what it tells and changes.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use sessile_balancer::{BackendState, BalancerAdmin};
use tower_service::Service;

use crate::setup::{Setup, get};

const TOKEN: &str = "the token";

struct Admin(Router);

impl Admin {
    fn of(setup: &Setup) -> Self {
        let listen: SocketAddr = "127.0.0.1:8081".parse().unwrap();
        Self(
            BalancerAdmin::new(
                TOKEN.into(),
                listen,
                setup.monitor.clone(),
                setup.control.clone(),
                None,
                || 7,
            )
            .router(),
        )
    }

    async fn send(&mut self, request: http::request::Builder, body: &str) -> (StatusCode, String) {
        let request: Request<Body> = request.body(Body::from(body.to_owned())).unwrap();
        let answer = self.0.call(request).await.unwrap();
        let (status, body) = (answer.status(), answer.into_body().collect().await.unwrap().to_bytes());
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn ask(&mut self, method: Method, path: &str, body: &str) -> (StatusCode, String) {
        let authorization = format!("Bearer {TOKEN}");
        let request = request(method, path).header("authorization", authorization);
        self.send(request.header("content-type", "application/json"), body).await
    }
}

fn request(method: Method, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).header("host", "127.0.0.1:8081")
}

#[tokio::test]
async fn nothing_confidential_without_the_token_and_nothing_under_a_foreign_name() {
    let setup = Setup::pair().await;
    let mut admin = Admin::of(&setup);
    for (method, path) in [(Method::GET, "/nodes"), (Method::POST, "/nodes/tc01/remove")] {
        for wrong in ["", "Bearer ", "Bearer the toke", "Basic the token"] {
            let request = request(method.clone(), path).header("authorization", wrong);
            assert_eq!(admin.send(request, "").await.0, StatusCode::UNAUTHORIZED, "{wrong:?}");
        }
    }
    let foreign = Request::get("/metrics").header("host", "evil.example");
    assert_eq!(admin.send(foreign, "").await.0, StatusCode::FORBIDDEN);
    assert_eq!(admin.send(request(Method::GET, "/healthz"), "").await.0, StatusCode::OK);
    assert_eq!(admin.ask(Method::GET, "/nodes/tc01/remove", "").await.0, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(setup.status().len(), 2);
}

#[tokio::test]
async fn nodes_are_added_weighted_drained_and_removed() {
    let setup = Setup::pair().await;
    let mut admin = Admin::of(&setup);
    let done = |text: &str| (StatusCode::OK, format!("{{\"done\":\"{text}\"}}"));
    let third = format!(r#"{{"name":"tc03","address":"{}"}}"#, setup.nodes[0].address);
    let added = format!(
        "tc03 at {} was added with weight 1; it gets clients once a check finds it ready",
        setup.nodes[0].address
    );
    assert_eq!(admin.ask(Method::POST, "/nodes", &third).await, done(&added));
    assert_eq!(
        admin.ask(Method::POST, "/nodes/tc02/weight", r#"{"weight":7}"#).await,
        done("tc02 has weight 7, before 1")
    );
    assert_eq!(
        admin.ask(Method::POST, "/nodes/tc02/drain", "").await,
        done("tc02 gets nothing new until it is resumed; nothing runs there")
    );
    let (_, told) = admin.ask(Method::GET, "/nodes", "").await;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told[1]["weight"], 7);
    assert_eq!((told[1]["state"].as_str(), told[2]["name"].as_str()), (Some("draining"), Some("tc03")));
    assert_eq!(
        admin.ask(Method::POST, "/nodes/tc02/resume", "").await,
        done("tc02 is resumed; it gets requests once a check finds it ready")
    );
    setup.sees(1, BackendState::Up).await;
    assert_eq!(
        admin.ask(Method::POST, "/nodes/tc01/remove", "").await,
        done("tc01 was removed; nothing runs there, and its clients go to other nodes")
    );
    assert_eq!(setup.status().iter().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["tc02", "tc03"]);

    for (path, body, status, word) in [
        ("/nodes", third.as_str(), StatusCode::CONFLICT, "already"),
        ("/nodes", r#"{"name":"x"}"#, StatusCode::UNPROCESSABLE_ENTITY, "address"),
        ("/nodes", r#"{"name":"x","address":"y"}"#, StatusCode::BAD_REQUEST, "host:port"),
        ("/nodes/tc02/weight", r#"{"weight":5000}"#, StatusCode::BAD_REQUEST, "0 to 1000"),
        ("/nodes/tc09/drain", "", StatusCode::NOT_FOUND, "there are tc02, tc03"),
    ] {
        let (answered, text) = admin.ask(Method::POST, path, body).await;
        assert_eq!(answered, status, "{path} {body}: {text}");
        assert!(text.contains(word), "{text}");
    }
}

#[tokio::test]
async fn metrics_count_what_happens_at_each_node() {
    let setup = Setup::pair().await;
    for _ in 0..3 {
        setup.send(get("/who"), "").await;
    }
    let (status, text) = Admin::of(&setup).send(request(Method::GET, "/metrics"), "").await;
    assert_eq!(status, StatusCode::OK);
    for line in [
        "# TYPE sessile_balancer_requests_total counter",
        "sessile_balancer_requests_total{node=\"tc01\"} 2",
        "sessile_balancer_requests_total{node=\"tc02\"} 1",
        "sessile_balancer_weight{node=\"tc01\"} 1",
        "sessile_balancer_client_connections_evicted_total 0",
        "sessile_balancer_log_lines_lost_total 7",
        "sessile_balancer_state_changes_total{node=\"tc01\"} 1",
        "sessile_balancer_node_state{node=\"tc01\",state=\"up\"} 1",
        "sessile_balancer_node_state{node=\"tc01\",state=\"down\"} 0",
    ] {
        assert!(text.lines().any(|other| other == line), "{line:?} in\n{text}");
    }
}
