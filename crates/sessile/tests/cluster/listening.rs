//! What happens to sessions is told to those who listen, on the node that acts and on the others.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use parking_lot::Mutex;
use sessile::config::App;
use sessile::events::{EndReason, Listening, Notification, Scope, SessionChange};

use crate::harness::{Browser, Node, Town};

/// Hears everything, in its order.
struct Ear {
    heard: Arc<Mutex<Vec<Notification>>>,
    _listening: Listening,
}

impl Ear {
    fn to(node: &Node, scope: Scope) -> Self {
        let heard = Arc::<Mutex<Vec<Notification>>>::default();
        let put = Arc::clone(&heard);
        let listening = node.cluster.listen(scope, move |told| put.lock().push(told.clone()));
        Self { heard, _listening: listening }
    }

    /// The changes in words, once there are `count`.
    async fn words(&self, node: &Node, count: usize) -> Vec<String> {
        node.until("the notifications", |_| self.heard.lock().len() >= count).await;
        self.heard.lock().iter().map(words).collect()
    }
}

fn words(told: &Notification) -> String {
    let what = match &told.change {
        SessionChange::Created => "created".to_owned(),
        SessionChange::Ended { reason: EndReason::Invalidated } => "invalidated".to_owned(),
        SessionChange::Ended { reason: EndReason::Expired } => "expired".to_owned(),
        SessionChange::AttributeAdded { name } => format!("added {name}"),
        SessionChange::AttributeReplaced { name } => format!("replaced {name}"),
        SessionChange::AttributeRemoved { name } => format!("removed {name}"),
        SessionChange::PrincipalChanged => "principal".to_owned(),
        SessionChange::IdChanged => "id".to_owned(),
        other => format!("{other:?}"),
    };
    format!("{}{what}", if told.remote { "remote " } else { "" })
}

const STORY: [&str; 7] = ["created", "added x", "replaced x", "removed x", "id", "principal", "invalidated"];

async fn story(node: &Node) {
    let mut browser = Browser::default();
    browser.ok(node, "/set/x/1").await;
    browser.ok(node, "/set/x/2").await;
    browser.ok(node, "/remove/x").await;
    browser.ok(node, "/login").await;
    browser.ok(node, "/logout").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_change_is_told_in_its_order_on_both_nodes() {
    let (a, b) = Town::new().pair().await;
    let (here, there) = (Ear::to(&a, Scope::EveryNode), Ear::to(&b, Scope::EveryNode));
    let (acting_here, acting_there) = (Ear::to(&a, Scope::ActingNode), Ear::to(&b, Scope::ActingNode));
    story(&a).await;
    assert_eq!(here.words(&a, STORY.len()).await, STORY);
    let remote: Vec<_> = STORY.iter().map(|words| format!("remote {words}")).collect();
    assert_eq!(there.words(&b, STORY.len()).await, remote);
    assert_eq!(acting_here.words(&a, STORY.len()).await, STORY);
    assert_eq!(*acting_there.heard.lock(), [], "who acts elsewhere is of no interest");
    let ids = |ear: &Ear| ear.heard.lock().iter().map(|told| told.event_id).collect::<Vec<_>>();
    let sorted = |mut ids: Vec<u64>| {
        ids.sort_unstable();
        ids
    };
    assert_eq!(sorted(ids(&here)), sorted(ids(&there)), "the same number for the same change");
    assert!(here.heard.lock().iter().all(|told| told.app == "/"));
}

#[tokio::test]
async fn an_application_hears_of_its_own_sessions_only() {
    let town = Town::with(|config| {
        config.apps = vec![App { path: "/shop".to_owned(), ..App::with_session(config.session.clone()) }];
    });
    let (a, b) = town.pair().await;
    let shop = a.with_layer(a.cluster.app_layer(&a.cluster.config().apps[0]));
    let heard = Arc::<Mutex<Vec<Notification>>>::default();
    let put = Arc::clone(&heard);
    let listening =
        b.cluster.look("/shop").listen(Scope::EveryNode, move |told| put.lock().push(told.clone()));
    Browser::default().ok(&a, "/set/x/1").await;
    Browser::default().ok(&shop, "/set/x/1").await;
    b.until("the shop's session", |_| heard.lock().len() == 2).await;
    assert!(heard.lock().iter().all(|told| told.app == "/shop" && told.remote));
    drop(listening);
    let everything = Ear::to(&b, Scope::EveryNode);
    Browser::default().ok(&shop, "/set/x/1").await;
    everything.words(&b, 2).await;
    assert_eq!(heard.lock().len(), 2, "who stopped listening hears no more");
}

#[tokio::test]
async fn an_expiry_is_told_once_by_the_node_that_ended_the_session() {
    let town = Town::with(|config| config.session.timeout = Duration::from_secs(1));
    let (a, b) = town.pair().await;
    let (here, there) = (Ear::to(&a, Scope::EveryNode), Ear::to(&b, Scope::EveryNode));
    Browser::default().ok(&a, "/set/x/1").await;
    let ends = [here.words(&a, 3).await.pop().unwrap(), there.words(&b, 3).await.pop().unwrap()];
    let acting = ends.iter().filter(|words| *words == "expired").count();
    let remote = ends.iter().filter(|words| *words == "remote expired").count();
    assert_eq!((acting, remote), (1, 1), "{ends:?}");
}

#[tokio::test]
async fn a_panic_hurts_neither_the_other_listeners_nor_replication() {
    let (a, b) = Town::new().pair().await;
    let _panics = b.cluster.listen(Scope::EveryNode, |_| panic!("a planted fault"));
    let there = Ear::to(&b, Scope::EveryNode);
    let mut browser = Browser::default();
    for round in 0..3 {
        let receipt = browser.get(&a, &format!("/set/x/{round}")).await.receipt.unwrap();
        assert_eq!((receipt.copies, receipt.wanted), (2, 2));
    }
    assert_eq!(there.words(&b, 4).await.len(), 4);
    assert_eq!(browser.ok(&b, "/get/x").await, "2");
    b.until("the count", |b| b.metric("sessile_listener_panics_total") == 4).await;
}

#[tokio::test]
async fn a_slow_listener_holds_nobody_up_and_hears_everything_before_its_node_is_gone() {
    let (a, b) = Town::new().pair().await;
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let heard_end = Arc::new(AtomicBool::new(false));
    let put = Arc::clone(&heard_end);
    let _slow = b.cluster.listen(Scope::EveryNode, move |told| {
        let _ = released.lock().recv();
        put.fetch_or(matches!(told.change, SessionChange::Ended { .. }), Ordering::SeqCst);
    });
    let mut browser = Browser::default();
    for round in 0..20 {
        let receipt = browser.get(&a, &format!("/set/x/{round}")).await.receipt.unwrap();
        assert_eq!((receipt.copies, receipt.wanted), (2, 2));
        assert_eq!(browser.ok(&b, "/get/x").await, round.to_string());
    }
    browser.ok(&a, "/logout").await;
    assert_eq!(b.metric("sessile_notifications_waiting"), 22);
    assert!(!heard_end.load(Ordering::SeqCst));
    drop(release);
    b.cluster.leave().await;
    assert!(heard_end.load(Ordering::SeqCst));
}
