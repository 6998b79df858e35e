//! A single node, and a client that keeps its cookie.

use axum::Router;
use axum::body::Body;
use http::header::{ACCEPT, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use sessile::config::{App, Manager};
use sessile::{Cluster, Config};
use sessile_apps::clusterapp;
use tower::ServiceExt as _;

pub(crate) const BROWSER: &str = "text/html,application/xhtml+xml,*/*;q=0.8";

/// The origin of the application's own pages.
pub(crate) const HERE: &str = "http://shop.example";

/// A node with the application.
pub(crate) struct Site {
    pub(crate) cluster: Cluster,
    router: Router,
}

pub(crate) struct TestClient {
    router: Router,
    pub(crate) cookie: Option<String>,
}

#[derive(Debug)]
pub(crate) struct TestResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Site {
    /// A node that is alone and answers diagnostics, changed by `change`.
    pub(crate) async fn of(change: impl FnOnce(&mut Config, &mut App)) -> Self {
        let mut config = Config::default();
        let mut app = App::with_session(config.session.clone());
        "/clusterapp".clone_into(&mut app.path);
        app.diagnostics = true;
        config.cluster.manager = Manager::Local;
        config.cluster.insecure = true;
        change(&mut config, &mut app);
        config.apps = vec![app.clone()];
        let cluster = Cluster::join(config).await.unwrap();
        Self { router: clusterapp::router(&cluster, &app, cluster.app_layer(&app).unwrap()), cluster }
    }
}

impl TestClient {
    pub(crate) fn at(site: &Site) -> Self {
        Self { router: site.router.clone(), cookie: None }
    }

    /// The client of a node of its own, changed by `change`.
    pub(crate) async fn of(change: impl FnOnce(&mut Config, &mut App)) -> Self {
        Self::at(&Site::of(change).await)
    }

    pub(crate) async fn new() -> Self {
        Self::of(|_, _| ()).await
    }

    /// Another client of the same node.
    pub(crate) fn other(&self) -> Self {
        Self { router: self.router.clone(), cookie: None }
    }

    /// Goes to another node with the same cookie.
    pub(crate) fn move_to(&mut self, site: &Site) {
        self.router = site.router.clone();
    }

    pub(crate) async fn send(&mut self, mut request: Request<Body>) -> TestResponse {
        if let Some(cookie) = &self.cookie {
            request.headers_mut().insert(COOKIE, cookie.parse().unwrap());
        }
        let (head, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        if let Some(set) = head.headers.get(SET_COOKIE) {
            self.cookie = set.to_str().unwrap().split(';').next().map(str::to_owned);
        }
        let body = body.collect().await.unwrap().to_bytes();
        TestResponse {
            status: head.status,
            headers: head.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    /// `POST /clusterapp/session?query`, as a measuring client sends it.
    pub(crate) async fn post(&mut self, query: &str) -> TestResponse {
        let uri = format!("/clusterapp/session?{query}");
        self.send(Request::post(uri).body(Body::empty()).unwrap()).await
    }

    /// The fields that a command is answered with.
    pub(crate) async fn fields(&mut self, query: &str) -> Value {
        let reply = self.post(query).await;
        assert_eq!(reply.status, 200, "{query}: {}", reply.body);
        reply.json()
    }

    /// A form sent from the page at `origin`.
    pub(crate) async fn submit(&mut self, origin: &str, form: &str) -> TestResponse {
        let request = Request::post("/clusterapp/session")
            .header("host", "shop.example")
            .header("origin", origin)
            .header(ACCEPT, BROWSER)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form.to_owned()))
            .unwrap();
        self.send(request).await
    }

    /// The same from its own page, and the page that follows.
    pub(crate) async fn submit_and_follow(&mut self, form: &str) -> TestResponse {
        let answer = self.submit(HERE, form).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::SEE_OTHER, ""), "{form}");
        let location = answer.headers[LOCATION].to_str().unwrap().to_owned();
        self.browse(&location).await
    }

    /// `GET path` as a browser sends it.
    pub(crate) async fn browse(&mut self, path: &str) -> TestResponse {
        self.send(Request::get(path).header(ACCEPT, BROWSER).body(Body::empty()).unwrap()).await
    }
}

impl TestResponse {
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.headers[CONTENT_TYPE], "application/json", "{}", self.body);
        serde_json::from_str(&self.body).unwrap()
    }

    /// The error that a refused request is told.
    pub(crate) fn error(&self) -> String {
        self.json()["error"].as_str().unwrap().to_owned()
    }
}
