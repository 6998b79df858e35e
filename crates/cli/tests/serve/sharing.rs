//! Nodes that share one store on a server: PostgreSQL and Redis, started by the tests themselves.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::harness::{Client, Setup, until};
use crate::server::{Server, skip};
use crate::{patient, read, write};

/// A server and the lines of `[store]` that lead to it.
struct Shared {
    server: Server,
    store: String,
}

fn postgres() -> Option<Shared> {
    let server = Server::postgres();
    if server.is_none() {
        skip("PostgreSQL");
    }
    let shared = |server: Server| {
        let url = format!("postgres://sessile@127.0.0.1:{}/postgres", server.port);
        Shared { store: format!("[store]\nkind = \"postgres\"\nurl = \"{url}\"\n"), server }
    };
    server.map(shared)
}

fn redis() -> Option<Shared> {
    // The user that the nodes are has a password; who is nobody in particular has none.
    let server = Server::redis(&["user sessile on >hidden ~* &* +@all"]);
    if server.is_none() {
        skip("Valkey or Redis");
    }
    let shared = |server: Server| {
        let url = format!("redis://127.0.0.1:{}/0", server.port);
        Shared { store: format!("[store]\nkind = \"redis\"\nurl = \"{url}\"\n"), server }
    };
    server.map(shared)
}

fn servers() -> impl Iterator<Item = Shared> {
    [postgres, redis].into_iter().filter_map(|start| start())
}

/// Two nodes on that store; `more` are further keys of `[store]` for a node.
fn pair(store: &str, more: impl Fn(&str) -> String) -> (Setup, [SocketAddr; 2]) {
    let setup = Setup::with(["tc01", "tc02"], |name, config| patient(name, config) + store + &more(name));
    let at = ["tc01", "tc02"].map(|name| setup.ports(name).http);
    (setup, at)
}

fn soon(_name: &str) -> String {
    "interval = \"10ms\"\n".to_owned()
}

#[track_caller]
pub(crate) fn unsaved(setup: &Setup, name: &str) -> u64 {
    setup.admin(name, "/status").json()["store"]["unsaved"].as_u64().expect("a number")
}

/// Whether the node says that its store does not work.
#[track_caller]
pub(crate) fn fails(setup: &Setup, name: &str) -> bool {
    setup.admin(name, "/status").json()["warnings"].to_string().contains("the store has failed for")
}

#[track_caller]
pub(crate) fn saved(setup: &Setup, name: &str) {
    until("everything is saved", || (unsaved(setup, name) == 0).then_some(()));
}

fn clients(setup: &Setup, count: u64, at: SocketAddr) -> Vec<Client> {
    let make = |v| {
        let mut client = setup.client();
        write(&mut client, at, v);
        client
    };
    (0..count).map(make).collect()
}

#[track_caller]
fn all_there(clients: &mut [Client], at: SocketAddr) {
    for (v, client) in clients.iter_mut().enumerate() {
        assert_eq!(read(client, at), Some(v as u64));
    }
}

#[test]
fn the_survivor_saves_the_unsaved_sessions_of_a_dead_node() {
    for Shared { store, server: _server } in servers() {
        let interval = |name: &str| match name {
            "tc01" => "interval = \"1h\"\n".to_owned(),
            _ => soon(name),
        };
        let (mut setup, [tc01, tc02]) = pair(&store, interval);
        setup.serve("tc01");
        setup.serve("tc02");
        let mut clients = clients(&setup, 10, tc01);
        assert_eq!(unsaved(&setup, "tc01"), 10);
        assert_eq!(unsaved(&setup, "tc02"), 0, "who changed a session saves it");
        setup.node("tc01").kill();
        until("the other one saves them", || {
            (listed(&setup, "tc02", &[]).lines().count() == 10).then_some(())
        });
        setup.node("tc02").kill();
        setup.serve("tc02");
        all_there(&mut clients, tc02);
    }
}

#[test]
fn saved_sessions_survive_a_kill_of_every_node_and_older_copies_replace_nothing() {
    for Shared { store, server: _server } in servers() {
        let (mut setup, [tc01, tc02]) = pair(&store, soon);
        setup.serve("tc01");
        setup.serve("tc02");
        let mut client = setup.client();
        write(&mut client, tc01, 1);
        saved(&setup, "tc01");
        let older = order(&setup, &["store", "export", "--config", "tc01.toml", "--output", "older.jsonl"]);
        assert!(older.1.contains("exported 1 records"), "{older:?}");
        write(&mut client, tc02, 2);
        saved(&setup, "tc02");
        setup.node("tc01").kill();
        setup.node("tc02").kill();
        let import = order(&setup, &["store", "import", "older.jsonl", "--config", "tc01.toml"]);
        assert_eq!(import.0, "saved 0, superseded 1, failed 0\n", "{}", import.1);
        setup.serve("tc01");
        assert_eq!(read(&mut client, tc01), Some(2));
    }
}

#[test]
fn an_unavailable_store_loses_no_session() {
    for Shared { store, mut server } in servers() {
        server.kill();
        let (mut setup, [tc01, tc02]) = pair(&store, soon);
        setup.serve("tc01");
        until("it is told before anybody comes", || fails(&setup, "tc01").then_some(()));
        setup.serve("tc02");
        let mut clients = clients(&setup, 5, tc01);
        all_there(&mut clients, tc02);
        server.start();
        saved(&setup, "tc01");
        setup.node("tc01").says("works again");

        server.kill();
        let mut late = setup.client();
        write(&mut late, tc01, 99);
        let logout = clients[4].post(tc02, "/clusterapp/session?cmd=invalidate");
        assert_eq!(logout.status, 200, "nobody waits for ever");
        until("it is told", || fails(&setup, "tc01").then_some(()));
        server.start();
        saved(&setup, "tc01");
        saved(&setup, "tc02");
        setup.node("tc01").kill();
        setup.node("tc02").kill();
        setup.serve("tc01");
        all_there(&mut clients[..4], tc01);
        assert_eq!(read(&mut late, tc01), Some(99));
        assert_eq!(read(&mut clients[4], tc01), None);
    }
}

#[test]
fn a_url_from_a_file_never_shows_its_password() {
    for Shared { store, server } in servers() {
        let line = store.lines().find(|line| line.starts_with("url")).expect("there is one");
        let url = line.split('"').nth(1).expect("in quotes");
        let (scheme, rest) = url.split_once("://").expect("a URL");
        let address = rest.rsplit('@').next().expect("an address");
        let store = store.replace(line, "url_file = \"store.url\"");
        let (mut setup, [tc01, _]) = pair(&store, soon);
        let file = setup.place().join("store.url");
        fs::write(&file, format!("{scheme}://sessile:hidden@{address}\n")).expect("writable");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("ours");
        assert_eq!(setup.start("tc01").ended(), Some(1));
        assert!(setup.node("tc01").err().contains("chmod 600"), "{}", setup.node("tc01").err());

        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("ours");
        setup.serve("tc01");
        let mut clients = clients(&setup, 3, tc01);
        saved(&setup, "tc01");
        setup.node("tc01").kill();
        setup.serve("tc01");
        all_there(&mut clients, tc01);
        assert_eq!(listed(&setup, "tc01", &[]).lines().count(), 3);
        let shown = order(&setup, &["config", "show", "tc01.toml"]);
        drop(server);
        write(&mut setup.client(), tc01, 4);
        until("it is told", || fails(&setup, "tc01").then_some(()));
        let told = setup.admin("tc01", "/status").text + &setup.node("tc01").err() + &shown.0 + &shown.1;
        assert!(!told.contains("hidden"), "{told}");
    }
}

#[test]
fn configured_table_and_column_names_are_used() {
    let Some(Shared { store, server }) = postgres() else { return };
    let names = "table = \"shop.web_sessions\"\ncolumns = [\"key = session_id\", \"content = body\"]\n";
    let store = store + names;
    let (mut setup, [tc01, _]) = pair(&store, soon);
    sql(&server, "CREATE SCHEMA shop");
    setup.serve("tc01");
    let mut clients = clients(&setup, 3, tc01);
    saved(&setup, "tc01");
    let found = sql(
        &server,
        "SELECT count(*) FROM shop.web_sessions WHERE session_id IS NOT NULL AND body IS NOT NULL",
    );
    assert_eq!(found.trim(), "3");
    setup.node("tc01").kill();
    setup.serve("tc01");
    all_there(&mut clients, tc01);
}

#[test]
fn an_encrypted_store_has_no_plain_text_in_the_database() {
    let Some(Shared { store, server }) = postgres() else { return };
    for is_encrypted in [false, true] {
        let table = if is_encrypted { "sealed" } else { "plain" };
        let more =
            format!("table = \"{table}\"\n{}", if is_encrypted { "key_file = \"store.key\"\n" } else { "" });
        let (mut setup, [tc01, _]) = pair(&store, |name| soon(name) + &more);
        key(setup.place());
        setup.serve("tc01");
        let mut client = setup.client();
        let path = "/clusterapp/session?cmd=add&name=umbrella&size=64&v=7";
        assert_eq!(client.post(tc01, path).status, 200);
        saved(&setup, "tc01");
        let found = sql(
            &server,
            &format!("SELECT count(*) FROM {table} WHERE position('umbrella'::bytea in content) > 0"),
        );
        assert_eq!(found.trim(), if is_encrypted { "0" } else { "1" });
        setup.node("tc01").kill();
        setup.serve("tc01");
        let shown = client.get(tc01, "/clusterapp/session?cmd=show&name=umbrella").json();
        assert_eq!(shown["v"], 7);
    }
}

/// A key to encrypt with, as the documentation says to make one.
pub(crate) fn key(place: &Path) {
    let made = Command::new("sh")
        .args(["-c", "umask 077; head -c 32 /dev/urandom | base64 > store.key"])
        .current_dir(place)
        .status();
    assert!(made.expect("there is a shell").success());
}

/// Standard output and error of a verb that succeeds.
#[track_caller]
pub(crate) fn order(setup: &Setup, arguments: &[&str]) -> (String, String) {
    let mut done = setup.order(arguments);
    assert_eq!(done.ended(), Some(0), "{}", done.err());
    (done.out(), done.err())
}

/// What the node's store holds, a line for each session.
#[track_caller]
fn listed(setup: &Setup, name: &str, more: &[&str]) -> String {
    let file = format!("{name}.toml");
    order(setup, &[&["store", "ls", "--json", "--config", &file], more].concat()).0
}

/// What PostgreSQL answers.
#[track_caller]
fn sql(server: &Server, statement: &str) -> String {
    let port = server.port.to_string();
    let asked = Command::new("psql")
        .args(["-h", "127.0.0.1", "-U", "sessile", "-d", "postgres", "-At", "-p", &port, "-c", statement])
        .output()
        .expect("psql comes with PostgreSQL");
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    String::from_utf8_lossy(&asked.stdout).into_owned()
}
