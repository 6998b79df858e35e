//! Two nodes with one application, and a browser that goes from one to the other.

use std::sync::Arc;
use std::time::Duration;

use actix_http::Request;
use actix_session::config::{PersistentSession, TtlExtensionPolicy};
use actix_session::{Session, SessionMiddleware};
use actix_web::body::{MessageBody, to_bytes};
use actix_web::cookie::{Cookie, Key};
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{COOKIE, HeaderMap, SET_COOKIE};
use actix_web::{App, Error, test, web};
use sessile::config::MembershipKind;
use sessile::{Cluster, ClusterSecrets, Config, SessionLayer};
use sessile_actix::SessileStore;
use tempfile::TempDir;
use tokio::sync::Barrier;

/// Longest wait for any condition; far above what a working cluster needs.
const LIMIT: Duration = Duration::from_secs(20);

/// A placeholder without a server: a list of members needs at least one.
const NOBODY: &str = "127.0.0.1:1";

/// One node, with what a test wants of it.
pub(crate) struct Node {
    pub(crate) cluster: Cluster,
    pub(crate) layer: SessionLayer,
    pub(crate) store: SessileStore,
    /// A barrier at which two requests wait for each other after reading and before writing.
    meeting: Arc<Barrier>,
    _directory: Arc<TempDir>,
}

pub(crate) async fn pair() -> (Node, Node) {
    let directory = Arc::new(tempfile::tempdir().unwrap());
    let secret_file = directory.path().join("cluster.secret");
    ClusterSecrets::load_or_create(&secret_file).unwrap();
    let meeting = Arc::new(Barrier::new(2));
    let node = async |name: &str, known: &str| {
        let mut config = Config::default();
        config.node.name = name.to_owned();
        config.cluster.secret_file = secret_file.clone();
        config.receiver.listen = ([127, 0, 0, 1], 0).into();
        config.membership.kind = MembershipKind::Static;
        config.membership.members = vec![known.parse().unwrap()];
        config.membership.drop_time = Duration::from_secs(15);
        let cluster = tokio::time::timeout(LIMIT, Cluster::join(config)).await.unwrap().unwrap();
        let layer = cluster.session_layer();
        let store = SessileStore::new(&layer);
        Node { cluster, layer, store, meeting: Arc::clone(&meeting), _directory: Arc::clone(&directory) }
    };
    let one = node("tc01", NOBODY).await;
    let other = node("tc02", &one.cluster.members()[0].address).await;
    (one, other)
}

impl Node {
    /// The application in the stock middleware, and around it what the documentation says.
    pub(crate) async fn app(
        &self,
    ) -> impl Service<Request, Response = ServiceResponse<impl MessageBody>, Error = Error> {
        let lifecycle = PersistentSession::default()
            .session_ttl(actix_web::cookie::time::Duration::HOUR)
            .session_ttl_extension_policy(TtlExtensionPolicy::OnEveryRequest);
        let sessions = SessionMiddleware::builder(self.store.clone(), Key::from(&[7; 64]))
            .session_lifecycle(lifecycle)
            .build();
        let app = App::new()
            .app_data(web::Data::from(Arc::clone(&self.meeting)))
            .route("/set/{name}/{value}", web::get().to(set))
            .route("/get/{name}", web::get().to(read))
            .route("/meet/set/{name}", web::get().to(set_after_meeting))
            .route("/meet/remove/{name}", web::get().to(remove_after_meeting))
            .route("/meet", web::get().to(meet))
            .route(
                "/renew",
                web::get().to(async |session: Session| {
                    session.renew();
                    "renewed"
                }),
            )
            .route(
                "/purge",
                web::get().to(async |session: Session| {
                    session.purge();
                    "purged"
                }),
            );
        test::init_service(app.wrap(sessions).wrap(self.store.request_scope().with_route("id"))).await
    }
}

async fn set(session: Session, path: web::Path<(String, String)>) -> Result<String, Error> {
    session.insert(path.0.clone(), &path.1)?;
    Ok(String::new())
}

async fn read(session: Session, name: web::Path<String>) -> Result<String, Error> {
    Ok(session.get::<String>(&name)?.unwrap_or_default())
}

async fn meet(meeting: web::Data<Barrier>) -> String {
    meeting.wait().await;
    String::new()
}

/// Waits after reading its session until the other request has read or allows it.
async fn meet_twice(meeting: &Barrier) {
    meeting.wait().await;
    meeting.wait().await;
}

async fn set_after_meeting(
    session: Session,
    meeting: web::Data<Barrier>,
    name: web::Path<String>,
) -> Result<String, Error> {
    meet_twice(&meeting).await;
    session.insert(name.as_str(), "met")?;
    Ok(String::new())
}

async fn remove_after_meeting(
    session: Session,
    meeting: web::Data<Barrier>,
    name: web::Path<String>,
) -> String {
    meet_twice(&meeting).await;
    session.remove(&name);
    String::new()
}

/// Keeps its cookie from answer to answer.
#[derive(Clone, Default)]
pub(crate) struct Browser {
    /// `name=value`.
    pub(crate) cookie: Option<String>,
}

/// A response as seen by a browser.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Browser {
    pub(crate) async fn get<S, B>(&mut self, app: &S, path: &str) -> Reply
    where
        S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
        B: MessageBody,
    {
        let mut request = test::TestRequest::get().uri(path);
        if let Some(cookie) = &self.cookie {
            request = request.insert_header((COOKIE, cookie.as_str()));
        }
        let answer = tokio::time::timeout(LIMIT, app.call(request.to_request())).await;
        let reply = match answer.expect("an answer in time") {
            Ok(response) => {
                let (status, headers) = (response.status(), response.headers().clone());
                let body = to_bytes(response.into_body()).await.map_err(|_| "no body").unwrap();
                Reply { status, headers, body: String::from_utf8(body.to_vec()).unwrap() }
            }
            // The server converts a middleware's error.
            Err(error) => {
                let response = error.error_response();
                let (status, headers) = (response.status(), response.headers().clone());
                Reply { status, headers, body: error.to_string() }
            }
        };
        if let Some(set) = reply.headers.get(SET_COOKIE) {
            let set = Cookie::parse(set.to_str().unwrap()).unwrap();
            self.cookie = (!set.value().is_empty()).then(|| format!("{}={}", set.name(), set.value()));
        }
        reply
    }

    /// As [`get`](Self::get), with a 200 and its body.
    pub(crate) async fn ok<S, B>(&mut self, app: &S, path: &str) -> String
    where
        S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
        B: MessageBody,
    {
        let reply = self.get(app, path).await;
        assert_eq!(reply.status, StatusCode::OK, "{path}: {reply:?}");
        reply.body
    }
}
