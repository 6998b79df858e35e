//! Nodes with the guest of the tests, and clients that keep their cookie.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::header::{COOKIE, HOST, SET_COOKIE};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use sessile::config::{App, Manager, MembershipKind};
use sessile::{Cluster, ClusterSecrets, Config, Session, SessionError};
use sessile_apps::component::{ComponentSettings, GuestLimits};
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::guests::{guest, host};

/// Longest wait for any condition; far above what is needed.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
/// Where the guest is mounted; a native handler shares its sessions at `/native`.
const BASE: &str = "/app";

/// A node with the guest.
pub(crate) struct Site {
    pub(crate) cluster: Cluster,
    router: Router,
}

/// A client of one node.
pub(crate) struct TestClient {
    router: Router,
    pub(crate) cookie: Option<String>,
}

#[derive(Debug)]
pub(crate) struct TestResponse {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// What arrived of the body.
    pub(crate) body: String,
}

pub(crate) fn settings() -> ComponentSettings {
    ComponentSettings::default()
}

/// Settings that differ from the usual ones in their limits.
pub(crate) fn limited(limits: GuestLimits) -> ComponentSettings {
    ComponentSettings { limits, ..settings() }
}

impl Site {
    /// A node that is alone; `None` where the guest is not built.
    pub(crate) async fn of(settings: ComponentSettings) -> Option<Self> {
        Self::with("probe", settings, |config| {
            config.cluster.manager = Manager::Local;
            config.cluster.insecure = true;
        })
        .await
    }

    async fn with(name: &str, settings: ComponentSettings, change: impl FnOnce(&mut Config)) -> Option<Self> {
        let component = host().prepare(guest(name)?, &settings).await.unwrap();
        let mut config = Config::default();
        change(&mut config);
        let mut app = App::with_session(config.session.clone());
        BASE.clone_into(&mut app.path);
        config.apps = vec![app.clone()];
        let cluster =
            tokio::time::timeout(LIMIT, Cluster::join(config)).await.expect("joins in time").unwrap();
        let layer = cluster.app_layer(&app).unwrap();
        let router = Router::new()
            .route("/native", get(native).layer(layer.clone()))
            .fallback_service(component.router(BASE, layer));
        Some(Self { cluster, router })
    }
}

/// The same sessions in native code, typed.
async fn native(session: Session) -> Result<String, SessionError> {
    let count = session.get::<u32>("count")?.unwrap_or_default() + 1;
    session.set("count", &count)?;
    Ok(count.to_string())
}

/// Two nodes of one cluster.
pub(crate) struct Pair {
    pub(crate) one: Site,
    pub(crate) other: Site,
    pub(crate) _place: TempDir,
}

impl Pair {
    pub(crate) async fn of(settings: ComponentSettings) -> Option<Self> {
        Self::with("probe", "probe", settings).await
    }

    /// A node with one guest and a node with the other.
    pub(crate) async fn with(one: &str, other: &str, settings: ComponentSettings) -> Option<Self> {
        let place = tempfile::tempdir().unwrap();
        // Nothing listens there: a list of members needs at least one.
        let first = node(&place, "tc01", "127.0.0.1:1", one, settings.clone()).await?;
        let known = first.cluster.members()[0].address.clone();
        let second = node(&place, "tc02", &known, other, settings).await?;
        Some(Self { one: first, other: second, _place: place })
    }
}

async fn node(
    place: &TempDir,
    name: &str,
    known: &str,
    guest: &str,
    settings: ComponentSettings,
) -> Option<Site> {
    let secret_file = place.path().join("cluster.secret");
    ClusterSecrets::load_or_create(&secret_file).unwrap();
    Site::with(guest, settings, |config| {
        name.clone_into(&mut config.node.name);
        config.cluster.manager = Manager::Delta;
        config.cluster.secret_file = secret_file;
        config.receiver.listen = ([127, 0, 0, 1], 0).into();
        config.membership.kind = MembershipKind::Static;
        config.membership.members = vec![known.parse().unwrap()];
        config.membership.drop_time = Duration::from_secs(15);
        config.sender.ack_timeout = Duration::from_secs(10);
    })
    .await
}

impl TestClient {
    pub(crate) fn at(site: &Site) -> Self {
        Self { router: site.router.clone(), cookie: None }
    }

    /// The same browser once more, as it opens a second connection.
    pub(crate) fn again(&self) -> Self {
        Self { router: self.router.clone(), cookie: self.cookie.clone() }
    }

    /// Goes to another node with the same cookie.
    pub(crate) fn move_to(&mut self, site: &Site) {
        self.router = site.router.clone();
    }

    pub(crate) async fn send(&mut self, mut request: Request<Body>) -> TestResponse {
        if let Some(cookie) = &self.cookie {
            request.headers_mut().append(COOKIE, cookie.parse().unwrap());
        }
        request.headers_mut().insert(HOST, "shop.example".parse().unwrap());
        let answered = tokio::time::timeout(LIMIT, self.router.clone().oneshot(request)).await;
        let (head, mut body) = answered.expect("answers in time").unwrap().into_parts();
        for set in head.headers.get_all(SET_COOKIE) {
            let cookie = set.to_str().unwrap().split(';').next().unwrap();
            if cookie.starts_with("sid=") {
                self.cookie = Some(cookie.to_owned()).filter(|cookie| cookie != "sid=");
            }
        }
        let mut read = Vec::new();
        while let Some(Ok(frame)) = body.frame().await {
            read.extend(frame.into_data().unwrap_or_default());
        }
        TestResponse { status: head.status, headers: head.headers, body: String::from_utf8(read).unwrap() }
    }

    /// `GET /app/ACT`.
    pub(crate) async fn ask(&mut self, act: &str) -> TestResponse {
        self.send(Request::get(format!("{BASE}/{act}")).body(Body::empty()).unwrap()).await
    }

    /// What `GET /app/ACT` answers with 200.
    pub(crate) async fn get(&mut self, act: &str) -> String {
        let reply = self.ask(act).await;
        assert_eq!(reply.status, 200, "{act}: {}", reply.body);
        reply.body
    }

    /// `POST /app/ACT` with a body.
    pub(crate) async fn post(&mut self, act: &str, body: impl Into<Body>) -> TestResponse {
        self.send(Request::post(format!("{BASE}/{act}")).body(body.into()).unwrap()).await
    }

    /// What native code counts in the same session.
    pub(crate) async fn native(&mut self) -> String {
        self.send(Request::get("/native").body(Body::empty()).unwrap()).await.body
    }

    /// The session's counter after one more count.
    pub(crate) async fn count(&mut self) -> u64 {
        let told = self.get("count").await;
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        told["count"].as_u64().unwrap()
    }
}
