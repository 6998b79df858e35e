//! Starts of a node, and errors that prevent a start.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use crate::harness::Setup;
use crate::{patient, write};

#[test]
fn the_first_node_of_a_cluster_starts_at_once() {
    // Whoever waits for somebody waits for ever.
    let never = |name: &str, config: String| {
        let config = patient(name, config);
        assert!(config.contains("[cluster]\n"), "{config}");
        config.replace("[cluster]\n", "[cluster]\nstate_transfer_timeout = \"never\"\n")
    };
    let mut setup = Setup::with(["tc01", "tc02", "tc03"], never);
    setup.serve("tc01");
    write(&mut setup.client(), setup.ports("tc01").http, 1);
    assert_eq!(setup.members("tc01"), ["tc01"]);
    let node = setup.node("tc01");
    node.says("tc01 is ready in ");
    assert_eq!(node.out().lines().count(), 1, "standard output says where it is, and no more");
}

#[test]
fn a_taken_port_is_an_error_that_names_it() {
    for table in ["http", "admin", "receiver"] {
        let mut setup = Setup::new(["tc01"]);
        let ports = setup.ports("tc01");
        let taken = match table {
            "http" => ports.http,
            "admin" => ports.admin,
            _ => ports.replication,
        };
        let _holder = TcpListener::bind(taken).expect("it is free");
        let node = setup.start("tc01");
        assert_eq!((node.ended(), node.out().as_str()), (Some(1), ""), "{table}");
        let err = node.err();
        assert!(err.contains(&taken.to_string()) && err.contains("choose another "), "{table}: {err}");
    }
}

#[test]
fn a_secret_is_created_only_for_a_cluster_on_one_machine() {
    let everywhere = |_: &str, config: String| {
        let (before, after) = config.split_once("[receiver]\nlisten = \"").expect("a receiver");
        let (_, after) = after.split_once('"').expect("its address");
        format!("{before}[receiver]\nlisten = \"0.0.0.0:0\"{after}")
    };
    let mut setup = Setup::with(["tc01"], everywhere);
    let node = setup.start("tc01");
    assert_eq!(node.ended(), Some(1));
    assert!(
        node.err().contains("sessile secret new ") && node.err().contains("cluster.secret"),
        "{}",
        node.err()
    );

    let mut setup = Setup::new(["tc01"]);
    setup.serve("tc01");
    let made = std::fs::metadata(setup.place().join("cluster.secret")).expect("it was made");
    assert_eq!(made.permissions().mode() & 0o777, 0o600);
}

#[test]
fn an_unsafe_or_invalid_secret_keeps_a_node_from_starting() {
    for (secret, mode, expected) in [
        ("c2hvcnQ=", 0o600, "line 1: 5 bytes instead of 32"),
        ("", 0o600, "0 secrets"),
        ("c2hvcnQ=", 0o644, "chmod 600"),
    ] {
        let mut setup = Setup::new(["tc01"]);
        let file = setup.place().join("cluster.secret");
        std::fs::write(&file, secret).expect("writable");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).expect("our own file");
        let node = setup.start("tc01");
        assert_eq!(node.ended(), Some(1));
        assert!(node.err().contains(expected), "{}", node.err());
    }
}

#[test]
fn a_wrong_configuration_is_shown_with_its_line() {
    let mut setup = Setup::with(["tc01"], |_, config| config.replace("drop_time", "drop_tme"));
    let node = setup.start("tc01");
    assert_eq!(node.ended(), Some(2));
    assert!(node.err().contains("drop_tme") && node.err().contains('^'), "{}", node.err());
}

/// It would be ready first, and then die with the requests that it had taken.
#[test]
fn a_missing_application_is_told_before_the_node_joins() {
    let mut setup = Setup::with(["tc01"], |_, config| {
        format!("{config}\n[[app]]\npath = \"/shop\"\nfile = \"shop.zip\"\n")
    });
    let node = setup.start("tc01");
    assert_eq!(node.ended(), Some(2));
    let err = node.err();
    assert!(err.contains("has no archive") && err.contains("shop.zip"), "{err}");
    assert!(!err.contains("looks for the cluster"), "{err}");
}

#[test]
fn a_path_without_an_application_gets_an_explanation() {
    let mut setup =
        Setup::with(["tc01"], |_, config| config.replace("[[app]]", "[session]\nmax_active = 1\n[[app]]"));
    setup.serve("tc01");
    let http = setup.ports("tc01").http;
    for path in ["/index.html", "/clusterapplication", "/.sessile"] {
        let answer = setup.client().get(http, path);
        assert_eq!(answer.status, 404);
        assert!(answer.text.contains("There is no application at this path"), "{answer:?}");
        assert!(!answer.text.contains("clusterapp"), "strangers learn no paths: {answer:?}");
    }
    let start = setup.client().get(http, "/");
    assert_eq!(
        (start.status, start.header("location")),
        (303, Some("/clusterapp/")),
        "the sample's start page"
    );
    assert_eq!(setup.client().post(http, "/").status, 404, "only a page is redirected");
    // The application answers for its own paths, within the bounds of the configuration.
    write(&mut setup.client(), http, 1);
    let refused = setup.client().post(http, "/clusterapp/session?cmd=add&name=a&size=64&v=1");
    assert_eq!((refused.status, refused.header("retry-after").is_some()), (503, true), "{refused:?}");
    assert!(refused.json()["error"].is_string());
}
