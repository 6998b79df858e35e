//! How nodes find each other, and what keeps them apart.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::runtime::Runtime;

use crate::harness::{Setup, until};
use crate::name_server::NameServer;
use crate::operating::{succeeds, verb};
use crate::{patient, peek, write};

const SERVICE: &str = "_replication._tcp.shop.example.org";

/// A configuration that finds members in another way than by its list.
fn found_by(config: &str, kind: &str) -> String {
    let (before, after) = config.split_once("kind = \"static\"").expect("a static list");
    format!("{before}{kind}{after}")
}

/// A write at one node is on each of the others.
fn shares(setup: &Setup, names: &[&str]) {
    let mut client = setup.client();
    let key = write(&mut client, setup.ports(names[0]).http, 1);
    for name in names {
        assert_eq!(peek(&mut client, setup.ports(name).http, &key), Some(1), "{name}");
    }
}

#[test]
fn nodes_that_know_one_seed_share_sessions_and_one_that_was_killed_returns() {
    let names = ["tc01", "tc02", "tc03"];
    let mut setup = Setup::with(names, |name, config| {
        // The first entry of the list, which is of no other use to this kind, is the seed.
        let members = config.lines().find(|line| line.starts_with("members")).expect("a list").to_owned();
        let first = members.split('"').nth(1).expect("an entry").to_owned();
        found_by(&patient(name, config), &format!("kind = \"swim\"\nseeds = [\"{first}\"]"))
    });
    for name in names {
        setup.serve(name);
    }
    until("all see each other", || names.iter().all(|name| setup.members(name).len() == 3).then_some(()));
    shares(&setup, &names);
    setup.node("tc02").signal("KILL");
    setup.node("tc02").ended();
    setup.serve("tc02");
    until("all see each other again", || {
        names.iter().all(|name| setup.members(name).len() == 3).then_some(())
    });
    shares(&setup, &["tc02", "tc01", "tc03"]);
}

#[test]
fn nodes_that_a_name_server_names_share_sessions() {
    let runtime = Runtime::new().expect("threads");
    let server = runtime.block_on(NameServer::start());
    let kind = format!("kind = \"dns\"\nnames = [\"{SERVICE}\"]\nresolver = \"{}\"", server.address);
    let names = ["tc01", "tc02"];
    let mut setup = Setup::with(names, |name, config| found_by(&patient(name, config), &kind));
    let addresses: Vec<SocketAddr> = names.iter().map(|name| setup.ports(name).replication).collect();
    server.set_services(SERVICE, &addresses, 0);
    for name in names {
        setup.serve(name);
    }
    until("both see each other", || (setup.members("tc01").len() == 2).then_some(()));
    shares(&setup, &names);
    let seen = succeeds(&setup, &["doctor", "tc01"]);
    assert!(seen.contains("tc02 answers at") && seen.ends_with("nothing is wrong\n"), "{seen}");
}

#[test]
fn a_strict_node_does_not_join_beside_one_that_differs_and_names_the_difference() {
    let mut setup = Setup::with(["tc01", "tc02", "tc03"], |name, config| {
        let config = patient(name, config);
        match name {
            "tc02" => {
                config.replace("[cluster]", "[replication]\nnames = \"cart.*\"\n[cluster]\nstrict = true")
            }
            "tc03" => format!("{config}\n[replication]\nnames = \"cart.*\"\n"),
            _ => config,
        }
    });
    setup.serve("tc01");
    let node = setup.start("tc02");
    assert_eq!(node.ended(), Some(1));
    let err = node.err();
    assert!(err.contains("does not join beside tc01") && err.contains("[replication] names"), "{err}");
    // One that is not strict joins, and both say what differs.
    setup.serve("tc03");
    for name in ["tc01", "tc03"] {
        let says =
            || succeeds(&setup, &["status", name]).contains("members disagree about [replication] names");
        until("the difference is a warning", || says().then_some(()));
    }
}

#[test]
fn the_doctor_names_what_is_wrong_and_exits_with_one() {
    let mut setup = Setup::with(["tc01", "tc02"], patient);
    setup.serve("tc01");
    let (code, out, err) = verb(&setup, &["doctor", "tc01", "--json"]);
    assert_eq!(code, 1, "{out}{err}");
    let report: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(report["met"][0]["name"], "tc01", "the node itself runs");
    let finding = &report["findings"][0];
    let absent = setup.ports("tc02").replication.to_string();
    assert_eq!((&finding["cause"], &finding["subject"]), (&"port_closed".into(), &absent.into()), "{report}");
    let (code, out, _) = verb(&setup, &["doctor", "tc01"]);
    assert!(code == 1 && out.contains("remedy: start the node"), "{out}");
    assert_eq!(setup.members("tc01"), ["tc01"], "nobody joined");
    setup.serve("tc02");
    assert!(succeeds(&setup, &["doctor", "tc01"]).contains("nothing is wrong"));
    assert_eq!(verb(&setup, &["doctor", "tc09"]).0, 2);
}
