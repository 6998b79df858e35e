//! What can be seen of a cluster and of its applications from one node.

use std::collections::BTreeSet;

use sessile::config::App;
use sessile::events::{EndReason, Event};

use crate::harness::{Browser, Node, Town};

fn with_apps() -> Town {
    Town::with(|config| {
        let shop = App { path: "/shop".to_owned(), ..App::with_session(config.session.clone()) };
        let local = App { path: "/local".to_owned(), distributable: false, ..shop.clone() };
        config.apps = vec![shop, local];
    })
}

#[tokio::test]
async fn each_application_has_its_own_sessions() {
    let (a, b) = with_apps().pair().await;
    let [shop, local] =
        [0, 1].map(|index| a.with_layer(a.cluster.app_layer(&a.cluster.config().apps[index])));
    let mut in_shop = Browser::default();
    in_shop.ok(&shop, "/set/x/1").await;
    let mut elsewhere = in_shop.clone();
    assert_eq!(elsewhere.ok(&local, "/get/x").await, "", "a cookie opens nothing in another application");
    elsewhere.ok(&local, "/set/x/2").await;
    elsewhere.ok(&local, "/set/x/3").await;

    assert_eq!(a.cluster.session_count(), 2);
    assert_eq!(b.cluster.session_count(), 1, "what is not distributable stays on its node");
    let key = b.cluster.sessions(None, 10)[0].key;
    let view = b.cluster.look("/shop");
    assert!(view.peek(key).is_some_and(|fields| fields.get("x").is_some()));
    assert!(b.cluster.look("/local").peek(key).is_none(), "an application sees its own sessions only");
    assert_eq!((view.session_count(), view.other_members()), (1, 1));
    let local = a.cluster.look("/local");
    assert_eq!((local.session_count(), local.statistics().sends()), (1, 2));
    assert_eq!(b.cluster.look("/local").statistics().requests(), 0);
}

#[tokio::test]
async fn sessions_are_listed_in_pages_with_their_application() {
    let (a, _b) = with_apps().pair().await;
    let local = a.with_layer(a.cluster.app_layer(&a.cluster.config().apps[1]));
    for _ in 0..30 {
        Browser::default().ok(&a, "/set/x/1").await;
        Browser::default().ok(&local, "/set/x/1").await;
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = a.cluster.sessions(after, 7);
        let Some(last) = page.last() else { break };
        after = Some(last.key);
        seen.extend(page);
    }
    let keys: BTreeSet<_> = seen.iter().map(|row| row.key).collect();
    assert_eq!((seen.len(), keys.len()), (60, 60), "each once");
    assert_eq!(seen.iter().filter(|row| row.app == "/local" && row.copies == 1).count(), 30);
    assert_eq!(seen.iter().filter(|row| row.app == "/" && row.copies == 2).count(), 30);
}

#[tokio::test]
async fn members_tell_their_address_and_state() {
    let (a, b) = Town::new().pair().await;
    a.until("both ready", |a| a.cluster.members().iter().all(|member| member.state == "ready")).await;
    let rows = a.cluster.members();
    assert!(rows[0].is_self && !rows[1].is_self);
    assert_eq!(rows[1].address, b.address());
    assert_eq!(rows[1].incarnation, b.cluster.members()[0].incarnation);
}

#[tokio::test]
async fn events_tell_what_happened_to_a_session() {
    let (a, b) = Town::new().pair().await;
    let mut events = b.cluster.events();
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    browser.ok(&a, "/set/x/2").await;
    browser.ok(&a, "/logout").await;
    let mut seen = Vec::new();
    while seen.len() < 3 {
        seen.push(events.recv().await.unwrap());
    }
    assert!(matches!(seen[0], Event::Created { remote: true, .. }), "{seen:?}");
    assert!(matches!(seen[1], Event::Replicated { .. }), "{seen:?}");
    let ended = Some(EndReason::Invalidated);
    let reason = if let Event::Ended { reason, remote: true, .. } = seen[2] { Some(reason) } else { None };
    assert_eq!(reason, ended, "{seen:?}");
}

/// The value of one line of the metrics.
fn value(node: &Node, line: &str) -> u64 {
    let text = node.cluster.metrics();
    let found =
        text.lines().find_map(|other| other.strip_prefix(line)).unwrap_or_else(|| panic!("{line}\n{text}"));
    found.trim().parse().unwrap()
}

#[tokio::test]
async fn metrics_count_messages_and_never_tell_a_secret() {
    let (a, b) = Town::new().pair().await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/secret").await;
    browser.ok(&a, "/set/x/secret").await;
    assert_eq!(value(&a, "sessile_messages_sent_total{kind=\"snapshot\"}"), 1);
    assert_eq!(value(&a, "sessile_messages_sent_total{kind=\"delta\"}"), 1);
    assert_eq!(value(&b, "sessile_messages_received_total{kind=\"delta\"}"), 1);
    assert_eq!(value(&a, "sessile_members"), 2);
    assert_eq!(value(&b, "sessile_state{state=\"ready\"}"), 1);
    assert_eq!(value(&a, "sessile_sessions_at_risk"), 0);
    assert!(value(&a, "sessile_bytes_sent_total") > 0);
    assert_eq!(value(&a, "sessile_app_write_seconds_count{app=\"/\"}"), 2);
    assert_eq!(value(&a, "sessile_app_write_overhead_seconds_bucket{app=\"/\",le=\"+Inf\"}"), 2);
    assert!(a.cluster.metrics().contains("sessile_confirmation_seconds_count{cluster="));
    let text = a.cluster.metrics();
    let cookie = browser.cookie.unwrap();
    let sealed = cookie.split('=').nth(1).unwrap().split('.').next().unwrap();
    assert!(!text.contains(sealed) && !text.contains("secret"), "{text}");
    let mut names = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        assert!(names.insert(line.split(' ').next().unwrap()), "twice: {line}");
        // Those of the process have the names that Prometheus gives them everywhere.
        assert!(line.starts_with("sessile_") || line.starts_with("process_"), "{line}");
        assert!(line.rsplit(' ').next().unwrap().parse::<f64>().is_ok(), "{line}");
    }
}
