use std::time::Duration;

use super::*;
use crate::archive::Manifest;

/// What the manifest asks for at `/shop` of the node, as one text of refusals; or what it gets.
fn asked(node: &Config, manifest: &str) -> Result<ComponentSettings, String> {
    let manifest = Manifest::parse("shop.zip/app.toml", format!("manifest = 1\n{manifest}")).unwrap();
    let mounted = App { path: "/shop".to_owned(), ..App::with_session(node.session.clone()) };
    let app = manifest.app(&mounted, "shop.zip".into());
    let request = Request { node, mounted: &mounted, app: &app };
    request.grant(manifest.component_settings()).map_err(|refused| {
        let refused: Vec<String> = refused.iter().map(ToString::to_string).collect();
        refused.join("; ")
    })
}

fn node() -> Config {
    Config { apps: Vec::new(), ..Config::default() }
}

#[test]
fn what_exceeds_a_ceiling_is_refused_with_key_asked_and_granted_value() {
    for (manifest, words) in [
        ("[limits]\nmemory = \"1GiB\"", ["limits.memory", "1GiB", "256MiB", "[farm.grants] memory"]),
        ("[limits]\nconcurrency = 512", ["limits.concurrency", "512", "128", "[farm.grants] concurrency"]),
        ("[limits]\nqueue = 65536", ["limits.queue", "65536", "1024", "[farm.grants] queue"]),
        ("[limits]\ncpu-time = \"5m\"", ["limits.cpu-time", "5m", "10s", "[farm.grants] cpu_time"]),
        (
            "[limits]\nrequest-time = \"1h\"",
            ["limits.request-time", "1h", "1m", "[farm.grants] request_time"],
        ),
        ("[limits]\nbody = \"1GiB\"", ["limits.body", "1GiB", "64MiB", "[farm.grants] body"]),
        (
            "[egress]\nallow = [\"127.0.0.1:9005\"]",
            ["egress.allow", "127.0.0.1:9005", "none", "[farm.grants] egress"],
        ),
        ("[session]\npath = \"/\"", ["session.path", "/", "none", "[farm.grants] session_paths"]),
        (
            "[session]\nmax-bytes = \"1GiB\"",
            ["session.max-bytes", "1GiB", "4MiB", "[session] max_session_bytes"],
        ),
    ] {
        let refused = asked(&node(), manifest).unwrap_err();
        assert!(words.iter().all(|word| refused.contains(word)), "{manifest}: {refused}");
    }
}

#[test]
fn what_the_node_grants_may_be_asked_for() {
    let mut node = node();
    let grants = &mut node.farm.grants;
    grants.memory = 1 << 30;
    grants.egress = vec!["api.example:443".parse().unwrap()];
    grants.session_paths = vec!["/".to_owned()];
    let granted = asked(
        &node,
        "[session]\npath = \"/\"\n[limits]\nmemory = \"1GiB\"\n[egress]\nallow = [\"API.example:443\"]",
    )
    .unwrap();
    assert_eq!((granted.limits.memory, granted.egress.len()), (1 << 30, 1));
    assert!(!granted.principals, "shared sessions are not its own to log in to");
    node.farm.grants.principals = true;
    assert!(asked(&node, "[session]\npath = \"/\"").unwrap().principals);
    assert!(asked(&Config::default(), "").unwrap().principals, "its own sessions are");
}

#[test]
fn defaults_are_lowered_to_the_ceilings() {
    let mut node = node();
    node.farm.grants.memory = 1 << 20;
    node.farm.grants.cpu_time = Duration::from_millis(500);
    let granted = asked(&node, "").unwrap();
    assert_eq!((granted.limits.memory, granted.limits.cpu_time), (1 << 20, Duration::from_millis(500)));
    assert!(asked(&node, "[limits]\nmemory = \"2MiB\"").is_err());
}

#[test]
fn sessions_that_the_configuration_gives_to_another_application_are_not_an_archives_own() {
    let mut node = node();
    let native = App { path: "/shop/admin".to_owned(), ..App::with_session(node.session.clone()) };
    node.apps = vec![App { session_path: Some("/shop".to_owned()), ..native }];
    assert!(asked(&node, "").unwrap_err().contains("session.path"));
    node.farm.grants.session_paths = vec!["/shop".to_owned()];
    assert!(!asked(&node, "").unwrap().principals);
    node.session.secure = Secure::Always;
    let weak = "[session]\ncookie = { secure = false, same-site = \"None\" }";
    let refused = asked(&node, weak).unwrap_err();
    assert!(
        refused.contains("session.cookie.secure") && refused.contains("session.cookie.same-site"),
        "{refused}"
    );
}

#[test]
fn rows_show_what_changed() {
    let lines = |pairs: &[(&'static str, &str)]| {
        Granted(pairs.iter().map(|(key, value)| (*key, (*value).to_owned())).collect())
    };
    let (old, new) =
        (lines(&[("a", "1"), ("b", "2"), ("c", "3")]), lines(&[("a", "1"), ("b", "4"), ("d", "5")]));
    let shown = |rows: Vec<GrantRow>| {
        let row = |row: GrantRow| format!("{} {} {}", row.key, row.value, row.before.unwrap_or_default());
        rows.into_iter().map(row).collect::<Vec<_>>()
    };
    assert_eq!(shown(new.beside(Some(&old))), ["a 1 ", "b 4 2", "d 5 nothing", "c nothing 3"]);
    assert_eq!(shown(new.beside(None)), ["a 1 ", "b 4 ", "d 5 "]);
}
