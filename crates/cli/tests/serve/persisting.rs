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

#[test]
fn a_key_file_for_a_plain_store_is_refused_with_the_verb_that_encrypts_it() {
    let plain = |name: &str, config| stored(name, config).replace("[store]\n", "[store]\n# keys\n");
    let mut setup = Setup::with(["tc01"], plain);
    let tc01 = setup.ports("tc01").http;
    let mut client = setup.client();
    setup.serve("tc01");
    write(&mut client, tc01, 7);
    let stop = |setup: &mut Setup| {
        setup.node("tc01").signal("TERM");
        setup.node("tc01").ended()
    };
    assert!(stop(&mut setup).is_some());
    let key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\n";
    let key_file = setup.place().join("store.key");
    std::fs::write(&key_file, key).unwrap();
    std::fs::set_permissions(&key_file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let file = setup.place().join("tc01.toml");
    let without = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, without.replace("# keys", "key_file = \"store.key\"")).unwrap();
    let node = setup.start("tc01");
    assert_eq!(node.ended(), Some(1));
    let told = node.err();
    let command =
        told.split('`').find(|words| words.starts_with("sessile store migrate")).expect("a command");
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    crate::operating::succeeds(&setup, &words);
    setup.serve("tc01");
    assert_eq!(read(&mut client, tc01), Some(7), "and its sessions are there");
    stop(&mut setup);
    std::fs::write(&file, without).unwrap();
    let node = setup.start("tc01");
    assert_eq!(node.ended(), Some(1));
    assert!(node.err().contains("holds encrypted sessions"), "{}", node.err());
}

#[test]
fn idle_sessions_leave_memory_and_come_back_from_the_file_store() {
    let mut setup = Setup::with(["tc01"], |name, config| {
        patient(name, config) + "swap_idle = \"1s\"\n[store]\nkind = \"file\"\ninterval = \"10ms\"\n"
    });
    let tc01 = setup.ports("tc01").http;
    setup.serve("tc01");
    let mut clients: Vec<_> = (0..5).map(|_| setup.client()).collect();
    for (v, client) in clients.iter_mut().enumerate() {
        write(client, tc01, v as u64);
    }
    until("all are swapped out", || {
        let metrics = setup.admin("tc01", "/metrics").text;
        metrics.contains("sessile_sessions_swapped_out 5\n").then_some(())
    });
    for (v, client) in clients.iter_mut().enumerate() {
        assert_eq!(read(client, tc01), Some(v as u64), "its content is brought back");
    }
}
