//! The admin port of running nodes.

use crate::harness::Setup;
use crate::write;

#[test]
fn members_sessions_and_metrics_need_the_token() {
    let mut setup = Setup::new(["tc01", "tc02"]);
    setup.serve("tc01");
    setup.serve("tc02");
    let ports = setup.ports("tc01");
    let admin = ports.admin;
    let mut client = setup.client();
    let mut keys: Vec<_> = (0..3)
        .map(|v| {
            client.cookie = None;
            write(&mut client, ports.http, v)
        })
        .collect();

    for page in ["/members", "/sessions"] {
        let refused = client.get(admin, page);
        assert_eq!(refused.status, 401);
        assert!(refused.json()["error"].as_str().is_some_and(|words| words.contains("sessile secret token")));
    }
    for page in ["/healthz", "/readyz"] {
        assert_eq!(client.get(admin, page).status, 200, "{page}");
    }
    let metrics = client.get(admin, "/metrics");
    let samples: Vec<_> = metrics.text.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(
        !samples.is_empty()
            && samples.iter().all(|sample| sample.starts_with("sessile_") || sample.starts_with("process_")),
        "{metrics:?}"
    );

    let members = setup.admin("tc01", "/members").json();
    let own = members.as_array().unwrap().iter().find(|member| member["self"] == true).expect("itself");
    assert_eq!(own["name"], "tc01");
    assert_eq!(own["incarnation"].as_str().unwrap().len(), 8);
    assert_eq!(own["address"], ports.replication.to_string());
    assert_eq!(own["state"], "ready");
    assert!(own["age_ms"].is_u64());
    assert_eq!(setup.members("tc02"), ["tc01", "tc02"]);

    let sessions = setup.admin("tc02", "/sessions").json();
    let of_first =
        sessions.as_array().unwrap().iter().find(|session| session["key"] == *keys[0]).expect("a copy");
    assert_eq!((&of_first["app"], &of_first["attributes"]), (&"/clusterapp".into(), &1.into()));
    assert!(of_first["bytes"].as_u64().is_some_and(|bytes| bytes >= 64) && of_first["idle_ms"].is_u64());
    assert_eq!(setup.admin("tc01", "/sessions").json()[0]["copies"], 2);

    let mut told = pages(&setup, "/sessions?limit=2");
    keys.sort();
    told.sort();
    assert_eq!(told, keys, "page by page, each once");
}

/// The keys of all pages, by following their links.
fn pages(setup: &Setup, first: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut next = Some(first.to_owned());
    while let Some(path) = next {
        let page = setup.admin("tc01", &path);
        let sessions = page.json();
        keys.extend(
            sessions
                .as_array()
                .into_iter()
                .flatten()
                .map(|session| session["key"].as_str().expect("a key").to_owned()),
        );
        next = page.header("link").map(|link| {
            let (path, relation) = link.trim_start_matches('<').split_once('>').expect("a link");
            assert_eq!(relation, "; rel=\"next\"");
            path.to_owned()
        });
    }
    keys
}
