//! Orders of overlapping requests, drawn for real nodes: what the browser ends up with.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Extension, Path};
use axum::response::Response;
use axum::routing::get;
use http::header::SET_COOKIE;
use http::{Request, StatusCode, Uri};
use sessile::testing::{Browser, TestCluster};
use sessile::{Cluster, Receipt, Session, SessionError};
use tokio::sync::Semaphore;

const ORDERS: u64 = 300;
const REQUESTS: usize = 3;
const HOST: &str = "http://shop.example";

/// Lets a handler act.
#[derive(Clone)]
struct Gate(Arc<Semaphore>);

async fn act(
    Path((kind, name)): Path<(String, String)>,
    Extension(Gate(gate)): Extension<Gate>,
    session: Session,
) -> Result<(), SessionError> {
    gate.acquire().await.expect("it is never closed").forget();
    match kind.as_str() {
        "write" => session.set(&name, &name)?,
        "login" => {
            session.change_id()?;
            session.set_principal(Some("ada"), None)?;
        }
        _ => drop(session.names()),
    }
    Ok(())
}

async fn look(session: Session) -> String {
    let names = session.names().join(",");
    format!("{}:{names}", session.principal().unwrap_or_default())
}

fn app(cluster: &Cluster) -> Router {
    Router::new().route("/look", get(look)).route("/{kind}/{name}", get(act)).layer(cluster.session_layer())
}

struct Draw(u64);

impl Draw {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }
}

fn request(path: &str, gate: &Gate) -> Request<Body> {
    let mut request = Request::get(format!("{HOST}{path}")).body(Body::empty()).unwrap();
    request.extensions_mut().insert(gate.clone());
    request
}

/// One order: the requests are sent with the cookie that there is, act one after another, and are answered in
/// any order.
async fn one(cluster: &Arc<TestCluster>, draw: &mut Draw) {
    let mut browser = Browser::new();
    let open = Gate(Arc::new(Semaphore::new(1)));
    cluster.visit(0, &mut browser, request("/write/cart", &open)).await;
    let mut running = Vec::new();
    for number in 0..REQUESTS {
        let kind = ["read", "write", "login"][draw.below(3)];
        let gate = Gate(Arc::new(Semaphore::new(0)));
        let mut asked = request(&format!("/{kind}/w{number}"), &gate);
        browser.send(&mut asked);
        let (node, cluster) = (draw.below(3), Arc::clone(cluster));
        let answering = tokio::spawn(async move { cluster.request(node, asked).await });
        running.push((number, kind, gate, answering));
        tokio::task::yield_now().await;
    }
    let mut answers = Vec::new();
    while !running.is_empty() {
        let (number, kind, gate, answering) = running.swap_remove(draw.below(running.len()));
        gate.0.add_permits(1);
        let answer = answering.await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let place = draw.below(answers.len() + 1);
        // An answer that gave the cookie another route and left before a login acted does not arrive after
        // the login's: that is the network's time, and the one order in which a node cannot help.
        let renames = |(_, kind, answer): &(usize, &str, Response)| {
            *kind != "login" && answer.headers().contains_key(SET_COOKIE)
        };
        let first =
            answers.iter().rposition(|answer| kind == "login" && renames(answer)).map_or(0, |at| at + 1);
        answers.insert(place.max(first), (number, kind, answer));
    }
    let page: Uri = HOST.parse().unwrap();
    let mut wanted = vec!["cart".to_owned()];
    let mut login = false;
    for (number, kind, answer) in answers {
        browser.receive(&page, &answer);
        login |= kind == "login";
        let receipt = answer.extensions().get::<Receipt>();
        // A second login from the same cookie is a session of its own, which need not have what the first
        // wrote.
        if kind == "write" && receipt.is_some_and(|receipt| !receipt.superseded) {
            wanted.push(format!("w{number}"));
        }
    }
    for node in 0..3 {
        let answer = cluster.visit(node, &mut browser, request("/look", &open)).await;
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        let (principal, names) = text.split_once(':').unwrap();
        assert_eq!(principal == "ada", login, "the browser is logged in when a login was answered: {text}");
        let is_there = |name: &String| names.split(',').any(|there| there == name);
        assert!(wanted.iter().all(is_there), "{wanted:?} of {text}");
    }
}

#[tokio::test]
async fn a_browser_keeps_its_login_and_its_cart_in_orders_drawn_for_real_nodes() {
    let cluster = Arc::new(TestCluster::start(3, app).await);
    let mut draw = Draw(7);
    for _ in 0..ORDERS {
        one(&cluster, &mut draw).await;
    }
}
