//! What holds with every manager in every mode, and what differs.

use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::routing::get;
use http::StatusCode;
use sessile::config::{Manager, Mode, Sender};
use sessile::{Config, Session, SessionError};

use crate::harness::{Browser, Node, Town};

/// The words of all modes; those that this version does not offer are left out.
const MODES: [&str; 4] = ["pipelined", "async", "sync", "pooled"];

/// A way to send that the configuration offers.
fn senders() -> Vec<Sender> {
    let offered = |mode| Config::parse("tc01.toml", &format!("[sender]\nmode = \"{mode}\"")).ok();
    let senders: Vec<_> = MODES.into_iter().filter_map(offered).map(|(config, _)| config.sender).collect();
    assert!(senders.len() >= 2, "pipelined and async are always offered");
    senders
}

fn town(manager: Manager, dirty_flag: bool, sender: Sender) -> Town {
    Town::with(move |config| {
        config.cluster.manager = manager;
        config.replication.dirty_flag = dirty_flag;
        config.sender = sender.clone();
    })
}

async fn node(town: &Town, name: &str, known: &[&Node]) -> Node {
    let Node { cluster, .. } = Node::join(town.config(name, known)).await;
    Node { app: app().layer(cluster.session_layer()), cluster }
}

async fn pair(town: &Town) -> (Node, Node) {
    let one = node(town, "tc01", &[]).await;
    let other = node(town, "tc02", &[&one]).await;
    (one, other)
}

fn app() -> Router {
    Router::new()
        .route("/set/{name}/{value}", get(set))
        .route("/get/{name}", get(read))
        .route("/remove/{name}", get(remove))
        .route("/names", get(names))
        .route("/number/{name}", get(number))
        .route("/cart", get(cart))
        .route("/cart.gif", get(cart))
        .route("/push/{item}", get(push))
        .route("/login/{user}", get(login))
        .route("/who", get(who))
        .route("/logout", get(logout))
        .route("/connect", get(connect))
        .route("/connection", get(connection))
}

async fn set(session: Session, Path((name, value)): Path<(String, String)>) -> Result<(), SessionError> {
    match name.as_str() {
        "cart" => session.set("cart", &[value]),
        _ => session.set(&name, &value),
    }
}

async fn read(session: Session, Path(name): Path<String>) -> Result<String, SessionError> {
    Ok(session.get::<String>(&name)?.unwrap_or_default())
}

async fn remove(session: Session, Path(name): Path<String>) -> Result<String, SessionError> {
    Ok(session.remove(&name)?.to_string())
}

async fn names(session: Session) -> String {
    session.names().join(" ")
}

async fn number(session: Session, Path(name): Path<String>) -> Result<String, SessionError> {
    Ok(session.get::<u64>(&name)?.unwrap_or_default().to_string())
}

async fn cart(session: Session) -> Result<String, SessionError> {
    Ok(session.get::<Vec<String>>("cart")?.unwrap_or_default().join(" "))
}

/// As the article's `map.put`, without a `setAttribute`.
async fn push(session: Session, Path(item): Path<String>) -> Result<(), SessionError> {
    session.get_mut::<Vec<String>>("cart")?.expect("a cart").push(item);
    Ok(())
}

async fn login(session: Session, Path(user): Path<String>) -> Result<(), SessionError> {
    session.change_id()?;
    session.set_max_inactive(Duration::from_secs(7200))?;
    session.set_principal(Some(&user), Some("FORM"))
}

async fn who(session: Session) -> String {
    let (user, how) = (session.principal().unwrap_or_default(), session.auth_type().unwrap_or_default());
    format!("{user} {how} {}", session.max_inactive().as_secs())
}

async fn logout(session: Session) -> Result<String, SessionError> {
    Ok(session.invalidate()?.to_string())
}

/// Something that cannot be encoded.
struct Connection(parking_lot::Mutex<u64>);

async fn connect(session: Session) -> Result<(), SessionError> {
    session.set_local("connection", Connection(parking_lot::Mutex::new(7)))
}

async fn connection(session: Session) -> String {
    session.get_local::<Connection>("connection").map_or(String::new(), |open| open.0.lock().to_string())
}

/// One configuration value decides about the rest.
struct Setting {
    manager: Manager,
    dirty_flag: bool,
    sender: Sender,
}

impl Setting {
    /// What `node` answers to `path`: in a synchronous mode the very next request must be answered so.
    async fn sees(&self, browser: &mut Browser, node: &Node, path: &str, expected: &str) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            let found = browser.ok(node, path).await;
            if found == expected {
                return;
            }
            let may_wait = self.sender.mode == Mode::Async && tokio::time::Instant::now() < deadline;
            assert!(may_wait, "{path} on {}: {found}, not {expected}; {self}", node.cluster.name());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The life of a session on two nodes, as far as it is the same with all managers that copy.
    async fn story(&self) {
        let (a, b) = pair(&town(self.manager, self.dirty_flag, self.sender.clone())).await;
        let mut browser = Browser::default();
        browser.ok(&a, "/set/left/1").await;
        self.sees(&mut browser, &b, "/get/left", "1").await;
        browser.ok(&b, "/set/right/2").await;
        self.sees(&mut browser, &a, "/names", "left right").await;
        browser.ok(&a, "/set/left/3").await;
        self.sees(&mut browser, &b, "/get/left", "3").await;
        assert_eq!(browser.ok(&b, "/remove/left").await, "true");
        self.sees(&mut browser, &a, "/names", "right").await;

        browser.ok(&a, "/set/cart/hat").await;
        self.sees(&mut browser, &b, "/cart", "hat").await;
        browser.ok(&b, "/push/umbrella").await;
        let travels = self.manager == Manager::Full && !self.dirty_flag;
        let cart = if travels { "hat umbrella" } else { "hat" };
        for node in [&a, &b] {
            self.sees(&mut browser, node, "/cart", cart).await;
        }
        assert_eq!(b.metric("sessile_changes_discarded_total"), u64::from(!travels), "{self}");

        let before = browser.clone();
        browser.ok(&a, "/login/ada").await;
        for node in [&b, &a] {
            self.sees(&mut browser, node, "/who", "ada FORM 7200").await;
            assert_eq!(before.clone().ok(node, "/who").await, "  1800", "the old id opens nothing; {self}");
        }
        let old = browser.clone();
        assert_eq!(browser.ok(&b, "/logout").await, "true");
        for node in [&a, &b] {
            assert_eq!(old.clone().ok(node, "/names").await, "", "{self}");
            assert_eq!(node.cluster.session_count(), 0, "{self}");
        }
    }
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}, dirty_flag = {}, {:?}", self.manager, self.dirty_flag, self.sender.mode)
    }
}

async fn every_mode(manager: Manager, dirty_flag: bool) {
    for sender in senders() {
        Setting { manager, dirty_flag, sender }.story().await;
    }
}

#[tokio::test]
async fn manager_delta() {
    every_mode(Manager::Delta, true).await;
}

#[tokio::test]
async fn manager_full() {
    every_mode(Manager::Full, true).await;
}

#[tokio::test]
async fn manager_full_without_the_dirty_flag() {
    every_mode(Manager::Full, false).await;
}

#[tokio::test]
async fn manager_local() {
    for sender in senders() {
        let (a, b) = pair(&town(Manager::Local, true, sender)).await;
        let mut browser = Browser::default();
        browser.ok(&a, "/set/cart/hat").await;
        browser.ok(&a, "/push/umbrella").await;
        browser.ok(&a, "/login/ada").await;
        assert_eq!(browser.ok(&a, "/cart").await, "hat");
        assert_eq!(browser.ok(&a, "/who").await, "ada FORM 7200");
        assert_eq!(browser.clone().ok(&b, "/names").await, "", "it is on its node only");
        assert_eq!(browser.ok(&a, "/logout").await, "true");
        assert_eq!((a.cluster.session_count(), b.cluster.session_count()), (0, 0));
    }
}

/// How many whole sessions a node has sent.
fn snapshots(node: &Node) -> u64 {
    let text = node.cluster.metrics();
    let name = "sessile_messages_sent_total{kind=\"snapshot\"} ";
    text.lines().find_map(|line| line.strip_prefix(name)).map_or(0, |count| count.parse().unwrap())
}

/// How many whole sessions each of these requests sends: a write, a read, and one on a filtered path.
async fn sent_by(manager: Manager, dirty_flag: bool) -> [u64; 3] {
    let (a, _b) = pair(&town(manager, dirty_flag, Sender::default())).await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/cart/hat").await;
    let mut counts = [0; 3];
    for (count, path) in counts.iter_mut().zip(["/set/cart/coat", "/cart", "/cart.gif"]) {
        let before = snapshots(&a);
        browser.ok(&a, path).await;
        *count = snapshots(&a) - before;
    }
    counts
}

#[tokio::test]
async fn the_manager_decides_which_requests_send_the_whole_session() {
    assert_eq!(sent_by(Manager::Delta, true).await, [0, 0, 0]);
    assert_eq!(sent_by(Manager::Full, true).await, [1, 0, 0]);
    assert_eq!(sent_by(Manager::Full, false).await, [1, 1, 0], "a read too, but never on a filtered path");
}

#[tokio::test]
async fn a_read_with_manager_full_has_a_receipt() {
    let (a, _b) = pair(&town(Manager::Full, false, Sender::default())).await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/cart/hat").await;
    let receipt = browser.get(&a, "/cart").await.receipt.unwrap();
    assert_eq!((receipt.copies, receipt.wanted), (2, 2));
    assert_eq!(browser.get(&a, "/cart.gif").await.receipt, None);
}

#[tokio::test]
async fn full_does_not_write_over_what_another_node_wrote() {
    let (a, b) = pair(&town(Manager::Full, false, Sender::default())).await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/0").await;
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (node, mut browser) = (a.clone(), browser.clone());
        readers.spawn(async move {
            for _ in 0..50 {
                browser.ok(&node, "/get/x").await;
            }
        });
    }
    for round in 1..=50 {
        browser.ok(&b, &format!("/set/x/{round}")).await;
    }
    while let Some(done) = readers.join_next().await {
        done.unwrap();
    }
    for node in [&a, &b] {
        assert_eq!(
            browser.ok(node, "/get/x").await,
            "50",
            "readers sent it again and again with its old timestamp"
        );
    }
}

#[tokio::test]
async fn an_application_may_keep_its_sessions_local_beside_one_that_copies() {
    let (a, b) = pair(&Town::new()).await;
    let plain = |node: &Node| {
        let shop = sessile::config::App::with_session(node.cluster.config().session.clone());
        let plain = sessile::config::App { path: "/plain".to_owned(), manager: Some(Manager::Local), ..shop };
        Node { app: app().layer(node.cluster.app_layer(&plain).unwrap()), cluster: node.cluster.clone() }
    };
    let mut browser = Browser::default();
    browser.ok(&plain(&a), "/set/cart/hat").await;
    assert_eq!(browser.clone().ok(&plain(&a), "/cart").await, "hat");
    assert_eq!(browser.clone().ok(&plain(&b), "/cart").await, "");
    assert_eq!((a.cluster.session_count(), b.cluster.session_count()), (1, 0));
}

#[tokio::test]
async fn names_that_do_not_match_stay_on_their_node() {
    let town = Town::with(|config| config.replication.names = "shared.*".to_owned());
    let (a, b) = pair(&town).await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/shared/1").await;
    browser.ok(&a, "/set/mine/2").await;
    assert_eq!(browser.ok(&a, "/names").await, "mine shared");
    let c = node(&town, "tc03", &[&a, &b]).await;
    for elsewhere in [&b, &c] {
        assert_eq!(browser.ok(elsewhere, "/names").await, "shared", "neither sent nor in a copy");
        assert_eq!(browser.ok(elsewhere, "/get/mine").await, "");
        assert_eq!(elsewhere.metric("sessile_local_values_missed_total"), 1);
    }
    assert_eq!(browser.ok(&a, "/get/mine").await, "2");
    assert_eq!(a.metric("sessile_local_values"), 1);
    browser.ok(&b, "/logout").await;
    a.until("what was kept goes with the session", |a| a.metric("sessile_local_values") == 0).await;
    assert_eq!(a.metric("sessile_local_value_bytes"), 0);
}

#[tokio::test]
async fn a_local_value_is_absent_elsewhere_and_goes_when_the_session_ends_there() {
    let (a, b) = pair(&Town::new()).await;
    let mut browser = Browser::default();
    browser.ok(&a, "/connect").await;
    assert_eq!(browser.ok(&a, "/connection").await, "7");
    assert_eq!(browser.ok(&b, "/connection").await, "");
    assert_eq!(
        (a.metric("sessile_local_values_missed_total"), b.metric("sessile_local_values_missed_total")),
        (0, 1)
    );
    assert_eq!(a.metric("sessile_local_values"), 1);
    browser.ok(&b, "/logout").await;
    a.until("the value goes with the session", |a| a.metric("sessile_local_values") == 0).await;
}

#[tokio::test]
async fn a_value_that_cannot_be_decoded_affects_only_itself() {
    let town = Town::new();
    let (a, b) = pair(&town).await;
    let (mut browser, mut other) = (Browser::default(), Browser::default());
    browser.ok(&a, "/set/bad/text").await;
    browser.ok(&a, "/set/good/1").await;
    other.ok(&a, "/set/good/1").await;
    let c = node(&town, "tc03", &[&a, &b]).await;
    assert_eq!(c.cluster.session_count(), 2, "the transfer does not look into values");
    for node in [&a, &b, &c] {
        let reply = browser.get(node, "/number/bad").await;
        assert_eq!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!reply.body.contains("bad"), "{}", reply.body);
        assert_eq!(browser.ok(node, "/get/good").await, "1");
    }
    browser.ok(&b, "/set/good/2").await;
    assert_eq!(browser.ok(&a, "/get/good").await, "2");
    assert_eq!(other.ok(&c, "/get/good").await, "1");
}
