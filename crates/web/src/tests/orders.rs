//! What the browser ends up with, in every order: requests of one browser that overlap, on several nodes, and
//! answers that arrive in any order, or never.
//!
//! The session layer is the real one and the browser is the model of RFC 6265bis. The nodes share one engine:
//! a change of the secret and an end are on all members before their answer leaves, so for a browser nodes
//! differ by their routes. `tests/cluster/browsers.rs` draws orders for real nodes.

mod oracle;
mod plan;

use std::pin::Pin;

use futures_util::FutureExt as _;
use http::Uri;
use parking_lot::Mutex;
use sessile_core::{Receipt, SessionKey};
use tokio::sync::oneshot;

use super::*;
use crate::Browser;
use crate::cookie::{CookieSigner, Presented};
use oracle::Oracle;
use plan::{HangUp, Kind, Plan, Step, Trial};

const PAGE: &str = "http://shop.example/";

/// What a handler saw when it began to act, and the session that it left.
#[derive(Clone, Debug, Default)]
struct Seen {
    names: Vec<String>,
    principal: Option<String>,
    left: Option<SessionKey>,
}

type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// A request on its way.
#[derive(Default)]
struct Running {
    sent: Option<http::HeaderValue>,
    begin: Option<oneshot::Sender<()>>,
    answering: Option<Answering>,
    answer: Option<Response<Body>>,
}

/// The nodes and how their cookies are read.
struct Nodes {
    by_hand: NodeByHand,
    host: Arc<SessionHost>,
    layers: Vec<SessionLayer>,
    signer: CookieSigner,
    page: Uri,
}

impl Nodes {
    fn new() -> Self {
        let mut settings = node_settings();
        settings.bounds = sessile_core::Bounds::default();
        let by_hand = NodeByHand::new(|now| Node::alone(settings, now), None);
        let host = by_hand.host();
        let layers = ["tc01", "tc02", "tc03"].map(|name| layer(&host, name, usual())).to_vec();
        Self {
            by_hand,
            host,
            layers,
            signer: CookieSigner::new(COOKIE_KEY, "/"),
            page: PAGE.parse().unwrap(),
        }
    }

    fn presented(&self, browser: &Browser) -> Option<Presented> {
        self.signer.decode(&browser.cookie(&self.page, "sid")?)
    }

    fn is_valid(&self, cookie: &Presented) -> bool {
        self.host.admits(cookie.identity.key, cookie.identity.secret)
    }

    /// A request that acts when `begin` is told.
    fn start(
        &self,
        plan: &Plan,
        sent: Option<&http::HeaderValue>,
        begin: oneshot::Receiver<()>,
        seen: Arc<Mutex<Seen>>,
        name: usize,
    ) -> Answering {
        let mut request = Request::get(PAGE).body(Body::empty()).unwrap();
        if let Some(cookie) = sent {
            request.headers_mut().insert(COOKIE, cookie.clone());
        }
        let (kind, begin, seen) = (plan.kind, Arc::new(Mutex::new(Some(begin))), seen);
        let inner = tower::service_fn(move |request: Request<Body>| {
            let session = request.extensions().get::<Session>().unwrap().clone();
            let (begin, seen) = (begin.lock().take().unwrap(), Arc::clone(&seen));
            async move {
                begin.await.ok();
                let (names, principal) = (session.names(), session.principal());
                act(kind, &session, NAMES[name]);
                *seen.lock() = Seen { names, principal, left: session.key() };
                Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
            }
        });
        let service = self.layers[plan.node].layer(inner);
        Box::pin(async move { service.oneshot(request).await.unwrap() })
    }
}

fn act(kind: Kind, session: &Session, name: &str) {
    match kind {
        Kind::Read => {}
        Kind::Write => session.set(name, name).unwrap(),
        Kind::Login => {
            // A logout that came first: the user signs in again.
            let Ok(()) = session.change_id() else { return };
            session.set_principal(Some("ada"), None).unwrap();
            session.set(name, name).unwrap();
        }
        Kind::Logout => drop(session.invalidate().unwrap()),
    }
}

/// Carries out one trial; what is wrong with it is the error.
fn run(nodes: &Nodes, trial: &Trial, tally: &mut oracle::Tally) -> Result<(), String> {
    let mut browser = Browser::new();
    let cart = Plan { kind: Kind::Write, node: 0, hang_up: HangUp::Never };
    let (begin, begun) = oneshot::channel();
    begin.send(()).unwrap();
    let made = nodes.start(&cart, None, begun, Arc::default(), CART).now_or_never().unwrap();
    browser.receive(&nodes.page, &made);
    if trial.is_dead {
        let cart = nodes.presented(&browser).unwrap();
        nodes.host.end(cart.identity.key).receipt().now_or_never().expect("nobody is waited for");
        nodes.by_hand.advance(2 * usual().session.change_grace);
    }
    let mut oracle = Oracle::new(nodes, trial);
    let mut running: Vec<Running> = trial.plans.iter().map(|_| Running::default()).collect();
    for (index, step) in &trial.steps {
        let (plan, request) = (&trial.plans[*index], &mut running[*index]);
        match step {
            Step::Send => request.sent = browser.cookie_header(&nodes.page),
            Step::Arrive => {
                let (begin, begun) = oneshot::channel();
                let seen = oracle.arrives(*index, nodes.presented(&browser_of(nodes, request)));
                let mut answering = nodes.start(plan, request.sent.as_ref(), begun, seen, *index);
                assert!((&mut answering).now_or_never().is_none(), "it waits");
                (request.begin, request.answering) = (Some(begin), Some(answering));
            }
            Step::Finish if plan.hang_up == HangUp::InHandler => request.answering = None,
            Step::Finish => {
                request.begin.take().unwrap().send(()).unwrap();
                let answer = request.answering.take().unwrap().now_or_never().expect("nobody is waited for");
                oracle.finishes(*index, answer.extensions().get::<Receipt>())?;
                oracle.leaves(*index, &answer)?;
                request.answer = Some(answer);
            }
            Step::Receive => {
                let Some(answer) = request.answer.take().filter(|_| plan.hang_up == HangUp::Never) else {
                    continue;
                };
                let before = nodes.presented(&browser);
                browser.receive(&nodes.page, &answer);
                oracle.receives(*index, before, nodes.presented(&browser), tally)?;
            }
        }
    }
    tally.trials += 1;
    oracle.ends(nodes.presented(&browser))
}

/// A browser that holds what the request sent.
fn browser_of(nodes: &Nodes, request: &Running) -> Browser {
    let mut browser = Browser::new();
    if let Some(pair) = request.sent.as_ref().and_then(|sent| sent.to_str().ok()) {
        browser.plant(&nodes.page, "/", pair);
    }
    browser
}

/// What the requests write; the last is what was there before.
const NAMES: [&str; 5] = ["w0", "w1", "w2", "w3", "cart"];
const CART: usize = 4;

fn run_all(trials: impl Iterator<Item = Trial>) -> oracle::Tally {
    let nodes = Nodes::new();
    let mut tally = oracle::Tally::default();
    for trial in trials {
        if let Err(wrong) = run(&nodes, &trial, &mut tally) {
            panic!("{wrong}\n{:?}\n{:?}", trial.plans, trial.steps);
        }
    }
    println!("{tally:?}");
    tally
}

#[test]
fn two_requests_in_every_order_on_two_nodes_with_every_hang_up() {
    let tally = run_all(plan::of_two());
    assert!(tally.trials > 20_000 && tally.renames > 1_000 && tally.views > 100, "{tally:?}");
}

#[test]
fn two_requests_with_a_dead_cookie_in_every_order() {
    let tally = run_all(plan::of_two_with_a_dead_cookie());
    assert!(tally.trials > 1_000 && tally.removals > 100, "{tally:?}");
}

#[test]
fn three_requests_in_every_order_of_arrivals_and_answers() {
    let tally = run_all(plan::of_three());
    assert!(tally.trials > 30_000 && tally.renames > 1_000 && tally.views > 1_000, "{tally:?}");
}

#[test]
fn four_requests_in_orders_that_are_spread_over_all() {
    let tally = run_all(plan::of_four());
    assert!(tally.trials > 5_000, "{tally:?}");
}
