//! The dashboard, the alert rules and the pages name metrics and labels that running processes expose; what
//! these expose is well-formed; events arrive.

mod harness;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::{Setup, free_address, own_host, until};

/// Metrics by name, each with the labels of its samples, as `label="value"`.
type Exposed = BTreeMap<String, BTreeSet<String>>;

fn of_project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn text_of(path: &str) -> String {
    std::fs::read_to_string(of_project(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Adds what a page of metrics exposes.
fn read_page(page: &str, exposed: &mut Exposed) {
    for line in page.lines().filter(|line| !line.is_empty()) {
        if let Some(described) = line.strip_prefix("# TYPE ") {
            exposed.entry(described.split(' ').next().expect("a name").to_owned()).or_default();
        } else if !line.starts_with('#') {
            let (sample, _) = line.rsplit_once(' ').expect("a value");
            let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
            let own = exposed.entry(name.to_owned()).or_default();
            own.extend(labels.trim_end_matches('}').split(',').map(str::to_owned));
        }
    }
}

/// What two nodes with a store and a balancer expose.
fn exposed() -> (Exposed, String) {
    let admin = free_address(own_host());
    let mut setup = Setup::with(["tc01", "tc02"], |name, config| {
        format!("{config}[store]\nkind = \"file\"\npath = \"{name}.sessions\"\n")
    });
    let nodes = ["tc01", "tc02"].map(|name| {
        setup.serve(name);
        format!("[[node]]\nname = \"{name}\"\naddress = \"{}\"\n", setup.ports(name).http)
    });
    let balancer = format!("[balance]\nlisten = \"127.0.0.1:0\"\nadmin = \"{admin}\"\n{}", nodes.concat());
    std::fs::write(setup.place().join("lb.toml"), balancer).expect("writable");
    setup.run("lb", &["balance", "--config", "lb.toml"]).says("in front of");
    let client = &mut setup.client();
    client.post(setup.ports("tc01").http, "/clusterapp/session?cmd=add&name=a&size=64&v=1");
    let mut token = setup.order(&["balance", "token", "--config", "lb.toml"]);
    assert_eq!(token.ended(), Some(0), "{}", token.err());
    let bearer = format!("Bearer {}", token.out().trim());
    let page = client.send(admin, "GET", "/metrics", &[("authorization", &bearer)]).expect("it answers");
    let node = until("a member confirmed a change", || {
        let node = setup.client().get(setup.ports("tc01").admin, "/metrics");
        node.text.contains("sessile_unconfirmed_bytes{member=\"tc02\"}").then_some(node)
    });
    let mut exposed = Exposed::new();
    for page in [&page.text, &node.text] {
        read_page(page, &mut exposed);
    }
    let accept = [("accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")];
    let open = client.send(setup.ports("tc01").admin, "GET", "/metrics", &accept).expect("it answers");
    assert_eq!(
        open.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    (exposed, open.text)
}

/// The metrics that a text names, with the label matchers behind each.
fn named(text: &str) -> Vec<(String, Vec<String>)> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for prefix in ["sessile_", "process_"] {
        for (at, _) in text.match_indices(prefix) {
            if text[..at].ends_with(is_word) {
                continue;
            }
            let (name, rest) =
                text[at..].split_at(text[at..].find(|c| !is_word(c)).unwrap_or(text.len() - at));
            let matchers =
                rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map_or("", |(inner, _)| inner);
            let matchers = matchers.split(',').filter(|one| !one.is_empty()).map(|one| one.replace('\\', ""));
            found.push((name.to_owned(), matchers.collect()));
        }
    }
    found
}

/// What `text` names and `exposed` lacks.
fn missing(text: &str, exposed: &Exposed) -> Vec<String> {
    let problem = |(name, matchers): (String, Vec<String>)| {
        let Some(samples) = exposed.get(&name) else { return vec![name] };
        // Labels that Prometheus adds are not exposed.
        let own = matchers.into_iter().filter(|one| !one.starts_with("instance") && !one.starts_with("job"));
        own.filter(|one| !samples.contains(one)).map(|one| format!("{name}{{{one}}}")).collect()
    };
    named(text).into_iter().flat_map(problem).collect()
}

#[test]
fn dashboard_rules_and_pages_name_what_is_exposed() {
    let (exposed, open) = exposed();
    let none: Vec<String> = Vec::new();
    for file in ["deploy/prometheus/sessile.yml", "deploy/grafana/sessile.json", "docs/monitoring.md"] {
        let text = text_of(file);
        assert!(named(&text).len() > 10, "{file} names hardly a metric");
        assert_eq!(missing(&text, &exposed), none, "{file} names metrics that nothing exposes");
    }
    let renamed = "sum(sessile_sessions_in_danger) + sessile_state{state=\"redy\"}";
    let found = ["sessile_sessions_in_danger", "sessile_state{state=\"redy\"}"];
    assert_eq!(missing(renamed, &exposed), found, "what is renamed is found");
    assert!(open.contains("# TYPE sessile_asks counter\n") && open.ends_with("\n# EOF\n"));
    assert!(open.contains(&format!("sessile_build_info{{version=\"{}\"}} 1\n", env!("CARGO_PKG_VERSION"))));
    let dashboard: serde_json::Value =
        serde_json::from_str(&text_of("deploy/grafana/sessile.json")).expect("JSON");
    let ids: BTreeSet<_> =
        dashboard["panels"].as_array().expect("panels").iter().map(|panel| panel["id"].as_u64()).collect();
    assert_eq!(
        ids.len(),
        dashboard["panels"].as_array().expect("panels").len(),
        "every panel has an id of its own"
    );
}

#[test]
fn every_alert_is_explained() {
    let (rules, page) = (text_of("deploy/prometheus/sessile.yml"), text_of("docs/monitoring.md"));
    let alerts: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 10, "{alerts:?}");
    for alert in alerts {
        assert!(
            page.contains(&format!("| `{alert}` |")),
            "docs/monitoring.md does not say what to do about {alert}"
        );
    }
}

#[test]
fn promtool_takes_the_rules_and_the_metrics() {
    if Command::new("promtool").arg("--version").output().is_err() {
        assert!(
            std::env::var_os("SESSILE_REQUIRE_EXTERNAL").is_none(),
            "promtool (Debian: prometheus) is not installed"
        );
        return;
    }
    let rules = of_project("deploy/prometheus/sessile.yml");
    let checked = Command::new("promtool").args(["check", "rules"]).arg(rules).output().expect("it runs");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn events_are_told_as_they_happen() {
    let mut setup = Setup::new(["tc01", "tc02"]);
    setup.serve("tc01");
    let admin = setup.ports("tc01").admin;
    assert_eq!(setup.client().get(admin, "/events").status, 401, "they need the token");
    let mut tcp = TcpStream::connect(admin).expect("it listens");
    let head = format!(
        "GET /events?sessions=true HTTP/1.1\r\nhost: {admin}\r\nauthorization: Bearer {}\r\n\r\n",
        setup.token()
    );
    tcp.write_all(head.as_bytes()).expect("it reads");
    let mut lines = BufReader::new(tcp).lines().map(|line| line.expect("it goes on"));
    assert_eq!(lines.next().as_deref(), Some("HTTP/1.1 200 OK"));
    assert!(lines.by_ref().any(|line| line == "content-type: text/event-stream"));
    assert!(lines.by_ref().any(|line| line.is_empty()), "the head ends");
    let mut event = |name: &str| {
        assert!(lines.by_ref().any(|line| line == format!("event: {name}")), "{name}");
        let data = lines.by_ref().find_map(|line| line.strip_prefix("data: ").map(str::to_owned));
        serde_json::from_str::<serde_json::Value>(&data.expect("data")).expect("JSON")
    };
    setup.client().post(setup.ports("tc01").http, "/clusterapp/session?cmd=add&name=a&size=64&v=1");
    assert_eq!(event("session-created")["remote"], false);
    setup.serve("tc02");
    assert_eq!(event("member-added")["name"], "tc02");
    setup.node("tc02").kill();
    assert_eq!(event("member-removed")["name"], "tc02");
}
