//! Any bytes as the cookies of a request: what does not prove a session opens none, and none but the one it
//! proves.

use std::sync::OnceLock;

use axum::body::Body;
use axum::routing::get;
use axum::{Extension, Router};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderValue, Request};
use http_body_util::BodyExt as _;
use sessile::config::Manager;
use sessile::{Cluster, Config, Session};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

/// Stands for the genuine cookie's value in the input.
const GENUINE: u8 = b'@';

/// A node with one session.
struct Site {
    runtime: Runtime,
    app: Router,
    genuine: String,
    _cluster: Cluster,
}

/// The body of the target `cookie`.
pub(crate) fn cookie(input: &[u8]) {
    static SITE: OnceLock<Site> = OnceLock::new();
    let site = SITE.get_or_init(Site::start);
    let mut header = Vec::with_capacity(input.len());
    for byte in input {
        match *byte {
            GENUINE => header.extend_from_slice(site.genuine.as_bytes()),
            other => header.push(other),
        }
    }
    let Ok(header) = HeaderValue::from_bytes(&header) else { return };
    let (user, set_cookie) = site.visit("/who", Some(header));
    assert!(user.is_empty() || user == "ada", "{user}");
    assert!(user.is_empty() || input.contains(&GENUINE), "a session was opened without its cookie");
    // The name of another node behind the genuine value is put right; whatever else comes gets no cookie.
    let renewed = format!("sid={};", site.genuine);
    assert!(set_cookie.is_none_or(|set| user == "ada" && set.starts_with(&renewed)), "a cookie for nothing");
}

impl Site {
    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let mut config = Config::default();
        config.cluster.manager = Manager::Local;
        config.cluster.insecure = true;
        config.receiver.listen = ([127, 0, 0, 1], 0).into();
        let cluster = runtime.block_on(Cluster::join(config)).unwrap();
        let app = Router::new().route("/login", get(login)).route("/who", get(who));
        let app = app.layer(cluster.session_layer());
        let mut site = Self { runtime, app, genuine: String::new(), _cluster: cluster };
        let (_, set_cookie) = site.visit("/login", None);
        let pair = set_cookie.unwrap();
        let pair = pair.split(';').next().unwrap();
        site.genuine = pair.split_once('=').unwrap().1.to_owned();
        site
    }

    /// What the application answers, and the cookie that it sets.
    fn visit(&self, path: &str, cookie: Option<HeaderValue>) -> (String, Option<String>) {
        let mut request = Request::get(path).body(Body::empty()).unwrap();
        if let Some(cookie) = cookie {
            request.headers_mut().insert(COOKIE, cookie);
        }
        self.runtime.block_on(async {
            let response = self.app.clone().oneshot(request).await.unwrap();
            assert!(response.status().is_success(), "{}", response.status());
            let set_cookie =
                response.headers().get(SET_COOKIE).map(|value| value.to_str().unwrap().to_owned());
            let body = response.into_body().collect().await.unwrap().to_bytes();
            (String::from_utf8(body.to_vec()).unwrap(), set_cookie)
        })
    }
}

async fn login(Extension(session): Extension<Session>) {
    session.set("user", "ada").unwrap();
}

async fn who(Extension(session): Extension<Session>) -> String {
    session.get("user").unwrap().unwrap_or_default()
}
