//! Operator actions on running nodes.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use crate::harness::{Client, Running, Setup, until};
use crate::{patient, peek, read, write};

/// A pair of nodes that serve.
fn pair(change: impl Fn(&str, String) -> String) -> Setup {
    let mut setup = Setup::with(["tc01", "tc02"], change);
    setup.serve("tc01");
    setup.serve("tc02");
    until("both see each other", || (setup.members("tc01").len() == 2).then_some(()));
    setup
}

/// Runs a verb to its end: the exit code, and what it wrote.
pub(crate) fn verb(setup: &Setup, arguments: &[&str]) -> (i32, String, String) {
    let mut verb = Running::start(setup.place(), arguments);
    let code = verb.ended().expect("no signal ended it");
    (code, verb.out(), verb.err())
}

#[track_caller]
pub(crate) fn succeeds(setup: &Setup, arguments: &[&str]) -> String {
    let (code, out, err) = verb(setup, arguments);
    assert_eq!(code, 0, "{arguments:?}: {out}{err}");
    out
}

#[test]
fn a_node_is_shown_and_stopped_by_its_name() {
    let mut setup = pair(patient);
    let key = write(&mut setup.client(), setup.ports("tc01").http, 1);
    let shown = succeeds(&setup, &["status", "tc01"]);
    assert!(shown.starts_with("tc01 in cluster test: ready\nsessions 1, at risk 0;"), "{shown}");
    assert!(shown.contains("tc02") && !shown.contains("warning"), "{shown}");
    let top = succeeds(&setup, &["top", "tc01"]);
    assert!(top.starts_with("/clusterapp\n  ATTRIBUTE") && top.contains("POST /clusterapp/session"), "{top}");
    let costs: serde_json::Value =
        serde_json::from_str(&succeeds(&setup, &["top", "tc01", "--json"])).expect("JSON");
    let row = |name: &str| {
        let rows = costs[0]["attributes"].as_array().expect("rows").iter();
        rows.clone().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no {name} in {costs}"))
    };
    assert_eq!((&row("a")["bytes"], &row("a")["commits"]), (&65.into(), &1.into()), "a name and 64 bytes");
    assert!(
        succeeds(&setup, &["top", "tc02"]).contains("nothing was committed yet"),
        "tc02 committed nothing"
    );
    let status = succeeds(&setup, &["status", "--config", "tc02.toml", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!(
        (&status["name"], &status["ready"], &status["sessions"]),
        (&"tc02".into(), &true.into(), &1.into())
    );
    assert_eq!(status["last_transfer"]["sessions"], 0, "it came before the session");

    let stopped = succeeds(&setup, &["stop", "tc01"]);
    assert!(stopped.contains("tc01: stopped"), "{stopped}");
    assert_eq!(setup.node("tc01").ended(), Some(0));
    assert_eq!(peek(&mut setup.client(), setup.ports("tc02").http, &key), Some(1));
    let (code, _, err) = verb(&setup, &["stop", "tc01"]);
    assert_eq!(code, 1);
    assert!(err.contains("tc01 is not running"), "{err}");
}

#[test]
fn an_incomplete_stop_names_the_remaining_work() {
    let mut setup =
        Setup::with(["tc01"], |_, config| config.replace("[http]", "drain_time = \"200ms\"\n[http]"));
    setup.serve("tc01");
    let _stuck = crate::stopping::stuck_request(&setup, "tc01");
    write(&mut setup.client(), setup.ports("tc01").http, 1);
    let (code, _, err) = verb(&setup, &["stop", "tc01", "--force"]);
    assert_eq!(code, 3, "{err}");
    assert!(err.contains("1 requests still run"), "{err}");
    assert_eq!(setup.node("tc01").ended(), Some(3));
}

#[test]
fn unreachable_admin_ports_are_explained() {
    let mut setup = Setup::with(["tc01"], |_, config| config);
    let (code, _, err) = verb(&setup, &["status", "nobody"]);
    assert_eq!(code, 2);
    assert!(err.contains("nobody.toml"), "{err}");
    setup.serve("tc01");
    let file = setup.place().join("tc01.toml");
    let right = std::fs::read_to_string(&file).unwrap();
    let other = right.replace("name = \"test\"", "name = \"other\"");
    std::fs::write(&file, other.replace("[admin]\n", "[admin]\nsocket = \"none.sock\"\n")).unwrap();
    let (code, _, err) = verb(&setup, &["status", "tc01"]);
    assert_eq!(code, 1);
    assert!(err.contains("does not prove that it is tc01"), "{err}");
    let admin = format!("[admin]\nlisten = \"{}\"\n", setup.ports("tc01").admin);
    std::fs::write(&file, right.replace(&admin, "")).unwrap();
    let (code, _, err) = verb(&setup, &["stop", "tc01"]);
    assert_eq!(code, 1);
    assert!(err.contains("has no admin port") && err.contains("listen = 9005"), "{err}");
}

/// With the node down, another local user may listen at its port or at its socket.
#[test]
fn verbs_tell_nothing_to_whoever_listens_in_place_of_the_node() {
    let mut setup = Setup::with(["tc01"], |_, config| config);
    setup.serve("tc01");
    succeeds(&setup, &["stop", "tc01"]);
    assert_eq!(setup.node("tc01").ended(), Some(0));
    assert!(!setup.place().join("tc01.sock").exists());
    let token = succeeds(&setup, &["secret", "token", "--config", "tc01.toml"]);
    let listener = std::net::TcpListener::bind(setup.ports("tc01").admin).unwrap();
    let impostor = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut heard = vec![0; 4096];
        let length = client.read(&mut heard).unwrap();
        let body = "{\"nonce\":\"invented\",\"proofs\":[\"invented\"]}";
        write!(client, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).unwrap();
        heard.truncate(length);
        String::from_utf8([heard, rest].concat()).unwrap()
    });
    let (code, _, err) = verb(&setup, &["status", "tc01"]);
    assert_eq!(code, 1);
    assert!(err.contains("does not prove that it is tc01"), "{err}");
    let heard = impostor.join().unwrap();
    assert!(heard.starts_with("GET /challenge?nonce=") && heard.matches("HTTP/1.1").count() == 1, "{heard}");
    assert!(!heard.contains(token.trim()) && !heard.to_lowercase().contains("authorization"), "{heard}");
}

/// The port stays for operators elsewhere, and for a socket that cannot be made.
#[test]
fn verbs_use_the_socket_and_without_it_the_port() {
    let mut setup = Setup::with(["tc01"], |_, config| config);
    setup.serve("tc01");
    let socket = setup.place().join("tc01.sock");
    assert_eq!(std::fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let file = setup.place().join("tc01.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    let admin = setup.ports("tc01").admin.to_string();
    let closed = crate::harness::free_address(std::net::Ipv4Addr::LOCALHOST.into()).to_string();
    std::fs::write(&file, config.replace(&admin, &closed)).unwrap();
    assert!(succeeds(&setup, &["status", "tc01"]).starts_with("tc01 in cluster test"), "by the socket");
    std::fs::write(&file, &config).unwrap();
    std::fs::remove_file(&socket).unwrap();
    assert!(succeeds(&setup, &["status", "tc01"]).starts_with("tc01 in cluster test"), "by the port");
    assert!(succeeds(&setup, &["stop", "tc01"]).contains("tc01: stopped"));
}

#[test]
fn resync_of_a_healthy_cluster_repairs_nothing() {
    let setup = pair(patient);
    for v in 0..20 {
        write(&mut setup.client(), setup.ports("tc01").http, v);
    }
    let compared = succeeds(&setup, &["resync", "tc02"]);
    assert_eq!(compared.trim(), "tc02: 20 sessions compared with tc01; 0 repaired");
}

#[test]
fn a_drained_node_leaves_load_balancing_and_resumes() {
    let setup = pair(patient);
    let tc01 = setup.ports("tc01").http;
    let mut client = setup.client();
    let key = write(&mut client, tc01, 1);
    succeeds(&setup, &["drain", "tc01"]);
    assert_eq!(setup.client().get(tc01, "/.sessile/ready").status, 503);
    assert!(succeeds(&setup, &["status", "tc01"]).contains("not offered to balancers"));
    assert_eq!(write(&mut client, tc01, 2), key, "it goes on serving");

    succeeds(&setup, &["route", "tc02", "--rewrite", "off"]);
    let tc02 = setup.ports("tc02").http;
    assert_eq!(read(&mut client, tc02), Some(2));
    assert!(client.cookie.as_ref().is_some_and(|cookie| cookie.ends_with(".tc01")), "it is to return");
    succeeds(&setup, &["resume", "tc01"]);
    assert_eq!(setup.client().get(tc01, "/.sessile/ready").status, 200);
    succeeds(&setup, &["route", "tc02", "--rewrite", "on"]);
    assert_eq!(read(&mut client, tc02), Some(2));
    assert!(client.cookie.as_ref().is_some_and(|cookie| cookie.ends_with(".tc02")));
}

#[test]
fn members_with_unequal_settings_are_named() {
    let setup = pair(|name, config| match name {
        "tc02" => patient(name, config).replace("[[app]]", "[session]\ntimeout = \"1h\"\n[[app]]"),
        _ => patient(name, config),
    });
    for name in ["tc01", "tc02"] {
        let shown = succeeds(&setup, &["status", name]);
        assert!(shown.contains("warning: members disagree about [session] timeout: "), "{shown}");
        assert!(shown.contains("tc01 \"30m\"") && shown.contains("tc02 \"1h\""), "{shown}");
        assert!(
            setup.client().get(setup.ports(name).admin, "/metrics").text.contains("sessile_warnings 1\n")
        );
    }
}

#[test]
fn a_stopping_node_ends_its_own_sessions_with_expire_on_stop() {
    let mut setup = pair(|name, config| {
        patient(name, config).replace("[[app]]", "[session]\nexpire_on_stop = true\n[[app]]")
    });
    let (tc01, tc02) = (setup.ports("tc01").http, setup.ports("tc02").http);
    let (mut one, mut other, mut moved) = (setup.client(), setup.client(), setup.client());
    let own = write(&mut one, tc01, 1);
    let foreign = write(&mut other, tc02, 2);
    write(&mut moved, tc01, 3);
    let taken_over = write(&mut moved, tc02, 4);
    succeeds(&setup, &["stop", "tc01"]);
    assert_eq!(setup.node("tc01").ended(), Some(0));
    let mut client = setup.client();
    assert_eq!(peek(&mut client, tc02, &own), None, "tc01 wrote it last");
    assert_eq!(peek(&mut client, tc02, &foreign), Some(2));
    assert_eq!(peek(&mut client, tc02, &taken_over), Some(4));
}

/// Writes 1, 2, … to both nodes in turn until `enough`; no request fails and nothing is lost.
fn shop(mut client: Client, nodes: [std::net::SocketAddr; 2], enough: &AtomicBool) -> u64 {
    let mut v = 0;
    while !enough.load(SeqCst) {
        v += 1;
        write(&mut client, nodes[v as usize % 2], v);
        assert_eq!(read(&mut client, nodes[(v as usize + 1) % 2]), Some(v));
    }
    v
}

#[test]
fn secrets_are_rotated_while_clients_write() {
    let mut setup = pair(patient);
    let nodes = ["tc01", "tc02"].map(|name| setup.ports(name).http);
    let secret = setup.place().join("cluster.secret");
    let old = std::fs::read_to_string(&secret).unwrap();
    let enough = AtomicBool::new(false);
    let clients = [setup.client(), setup.client()];
    let mut sleeper = setup.client();
    write(&mut sleeper, nodes[0], 7);
    std::thread::scope(|scope| {
        let shopping = clients.map(|client| scope.spawn(|| shop(client, nodes, &enough)));
        let (code, _, err) = verb(&setup, &["secret", "rotate", "tc01"]);
        assert!(code == 1 && err.contains("tc02 is a member too"), "{err}");
        let rotated = succeeds(&setup, &["secret", "rotate", "tc01", "tc02"]);
        assert_eq!(std::fs::read_to_string(&secret).unwrap().lines().count(), 2, "{rotated}");
        assert_eq!(
            read(&mut sleeper, nodes[1]),
            Some(7),
            "a cookie under the old secret is believed, and made anew"
        );

        let (code, _, err) = verb(&setup, &["secret", "rotate", "--step", "drop", "tc01", "tc02"]);
        assert!(code == 1 && err.contains("--now"), "{err}");
        succeeds(&setup, &["secret", "rotate", "--step", "drop", "--now", "tc01", "tc02"]);
        assert_eq!(read(&mut sleeper, nodes[0]), Some(7));
        enough.store(true, SeqCst);
        for client in shopping {
            assert!(client.join().expect("no request failed") > 0);
        }
    });
    let new = std::fs::read_to_string(&secret).unwrap();
    assert!(new.lines().count() == 1 && new != old);

    // A node that starts with the new secret is believed by those that exchanged it while they ran.
    setup.node("tc02").kill();
    setup.serve("tc02");
    until("they link anew", || succeeds(&setup, &["status", "tc01"]).contains("\ntc02 ").then_some(()));
    setup.node("tc02").kill();
    // The token of the test is one of the old secret: the verb finds the new one. While a stranger answers at
    // its port, a killed node is not proven gone.
    let is_member = |setup: &Setup| succeeds(setup, &["status", "tc01"]).contains("\ntc02 ");
    until("the killed one is gone", || (!is_member(&setup)).then_some(()));
    std::fs::write(setup.place().join("old.secret"), &old).unwrap();
    std::fs::set_permissions(
        setup.place().join("old.secret"),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    let file = setup.place().join("tc02.toml");
    let config = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, config.replace("cluster.secret", "old.secret")).unwrap();
    setup.start("tc02").says("skipped: somebody answers there who is no member");
    until("who only knows the old secret is refused", || {
        let shown = succeeds(&setup, &["status", "tc01"]);
        shown.contains("is no member of this cluster and is skipped").then_some(())
    });
    assert!(!is_member(&setup));
    assert_eq!(read(&mut sleeper, nodes[0]), Some(7));
}

#[test]
fn a_node_without_an_admin_port_reloads_its_secrets_on_sighup() {
    let without_admin = |_: &str, config: String| {
        let lines = config.lines().collect::<Vec<_>>();
        let admin = lines.iter().position(|line| *line == "[admin]").expect("a table");
        [&lines[..admin], &lines[admin + 2..]].concat().join("\n")
    };
    let mut setup = Setup::with(["tc01"], without_admin);
    setup.serve("tc01");
    let file = setup.place().join("cluster.secret");
    let first = std::fs::read_to_string(&file).unwrap();
    let usable = std::fs::metadata(&file).unwrap().permissions();
    std::fs::write(&file, "no secret at all").unwrap();
    setup.node("tc01").signal("HUP");
    setup.node("tc01").says("the secrets stay unchanged");
    let second = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY=";
    std::fs::write(&file, format!("{}\n{second}\n", first.trim())).unwrap();
    std::fs::set_permissions(&file, usable).unwrap();
    setup.node("tc01").signal("HUP");
    setup.node("tc01").says("the secrets were read again");
    write(&mut setup.client(), setup.ports("tc01").http, 1);
}
