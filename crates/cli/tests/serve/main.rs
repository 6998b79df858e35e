//! `sessile serve`, as real processes that write, crash, stop and return.
#![cfg(unix)]

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../../../group/tests/harness/name_server.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "as in the tests of the group")]
mod name_server;
#[path = "../../../store/tests/stores/harness/server.rs"]
#[allow(unreachable_pub, clippy::unwrap_used, clippy::print_stdout, reason = "as in the tests of the stores")]
mod server;

mod admin;
mod ajp;
mod damaging;
mod deploying;
mod edge;
mod finding;
mod guarding;
mod hostile;
mod logging;
mod operating;
mod persisting;
mod sharing;
mod starting;
mod stopping;
mod surviving;

use std::net::SocketAddr;

use harness::{Client, Secrets};
use serde_json::Value;

/// Sets the attribute `a` of the client's session to the payload of `v`, and gives the key of the session.
#[track_caller]
fn write(client: &mut Client, at: SocketAddr, v: u64) -> String {
    let answer = client.post(at, &format!("/clusterapp/session?cmd=add&name=a&size=64&v={v}"));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["sid"].as_str().expect("a live session has a key").to_owned()
}

/// The `v` of the attribute `a` of the client's session; `None` when it is not there.
#[track_caller]
fn read(client: &mut Client, at: SocketAddr) -> Option<u64> {
    value(&client.get(at, "/clusterapp/session?cmd=show&name=a").json())
}

/// The same from the node's own copy, which is not fetched and not touched.
#[track_caller]
fn peek(client: &mut Client, at: SocketAddr, key: &str) -> Option<u64> {
    value(&client.get(at, &format!("/clusterapp/session?cmd=peek&sid={key}&name=a")).json())
}

#[track_caller]
fn value(answer: &Value) -> Option<u64> {
    let found = answer["found"].as_bool().unwrap_or_else(|| panic!("no answer about an attribute: {answer}"));
    found.then(|| answer["v"].as_u64().expect("a number"))
}

/// A configuration under which waiting for a member to be silent for long enough would fail the test.
fn patient(_name: &str, config: String) -> String {
    config.replace("drop_time = \"15s\"", "drop_time = \"10m\"")
}

#[test]
#[should_panic(expected = "wrote a secret")]
fn the_secret_search_finds_other_encodings() {
    let secrets = Secrets::default();
    // Key, secret and tag: 16, 16 and 4 bytes, of which only those in the middle are secret.
    let cookie = "AAAAAAAAAAAAAAAAAAAAAAECAwQFBgcICQoLDA0ODxAAAAAA";
    secrets.learn_cookie(&format!("sid={cookie}.tc01"));
    secrets.search("a log that shows the key", &cookie[..21]);
    secrets.search("a log that shows the secret", "found 0102030405060708090a0b0c0d0e0f10 here");
}
