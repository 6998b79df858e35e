//! Sessions that outlive all processes.

use crate::harness::{Setup, until};
use crate::{patient, read, write};

/// Both nodes with a file store of their own, beside their configuration.
fn stored(name: &str, config: String) -> String {
    patient(name, config) + "[store]\nkind = \"file\"\ninterval = \"10ms\"\n"
}

#[test]
fn a_stopped_cluster_restores_its_sessions() {
    let mut setup = Setup::with(["tc01", "tc02"], |name, config| {
        stored(name, config).replace("interval = \"10ms\"", "interval = \"1h\"")
    });
    let tc01 = setup.ports("tc01").http;
    setup.serve("tc01");
    setup.serve("tc02");
    let mut clients: Vec<_> = (0..10).map(|_| setup.client()).collect();
    for (v, client) in clients.iter_mut().enumerate() {
        write(client, tc01, v as u64);
    }
    for name in ["tc01", "tc02"] {
        setup.node(name).signal("TERM");
        assert_eq!(setup.node(name).ended(), Some(0), "{}", setup.node(name).err());
    }
    setup.serve("tc01");
    for (v, client) in clients.iter_mut().enumerate() {
        assert_eq!(read(client, tc01), Some(v as u64));
    }
    assert!(setup.place().join("tc01.sessions").is_dir(), "named after the node, beside its configuration");
}

#[test]
fn saved_sessions_survive_a_kill_of_every_node() {
    let mut setup = Setup::with(["tc01", "tc02"], stored);
    let (tc01, tc02) = (setup.ports("tc01").http, setup.ports("tc02").http);
    setup.serve("tc01");
    setup.serve("tc02");
    let mut clients: Vec<_> = (0..10).map(|_| setup.client()).collect();
    for (v, client) in clients.iter_mut().enumerate() {
        write(client, if v % 2 == 0 { tc01 } else { tc02 }, v as u64);
    }
    let mut gone = setup.client();
    write(&mut gone, tc01, 99);
    let before = gone.cookie.clone();
    assert_eq!(gone.post(tc02, "/clusterapp/session?cmd=invalidate").status, 200);
    for name in ["tc01", "tc02"] {
        until("everything is saved", || {
            let store = setup.admin(name, "/status").json()["store"].clone();
            (store["unsaved"].as_u64().expect("a number") == 0).then_some(())
        });
    }
    setup.node("tc01").kill();
    setup.node("tc02").kill();
    setup.serve("tc02");
    for (v, client) in clients.iter_mut().enumerate() {
        assert_eq!(read(client, tc02), Some(v as u64));
    }
    gone.cookie = before;
    assert_eq!(read(&mut gone, tc02), None, "who logged out stays logged out");
}

#[test]
fn an_unusable_store_is_an_error_that_names_its_key() {
    let mut setup =
        Setup::with(["tc01"], |name, config| stored(name, config) + "key_file = \"nobody.key\"\n");
    let node = setup.start("tc01");
    assert_eq!(node.ended(), Some(1));
    assert!(node.err().contains("key_file") && node.err().contains("nobody.key"), "{}", node.err());
}

#[test]
fn sessions_in_cookies_outlive_every_node_and_a_logout_is_final() {
    let mut setup =
        Setup::with(["tc01", "tc02"], |name, config| patient(name, config) + "keep = \"cookie\"\n");
    let (tc01, tc02) = (setup.ports("tc01").http, setup.ports("tc02").http);
    setup.serve("tc01");
    setup.serve("tc02");
    let (mut stays, mut goes) = (setup.client(), setup.client());
    for client in [&mut stays, &mut goes] {
        write(client, tc01, 7);
        assert_eq!(read(client, tc02), Some(7));
    }
    assert_eq!(setup.admin("tc01", "/sessions").json(), serde_json::json!([]), "no node has them");
    let copy = goes.cookie.clone();
    assert_eq!(goes.post(tc01, "/clusterapp/session?cmd=invalidate").status, 200);
    goes.cookie = copy;
    assert_eq!(read(&mut goes, tc02), None, "a copy of the cookie is worth nothing");

    let large = stays.post(tc01, "/clusterapp/session?cmd=add&name=b&size=5000&v=1");
    assert_eq!(large.status, 413, "{large:?}");
    assert!(large.text.contains("4096"), "{large:?}");
    setup.node("tc01").kill();
    setup.node("tc02").kill();
    setup.serve("tc02");
    assert_eq!(read(&mut stays, tc02), Some(7));
}
