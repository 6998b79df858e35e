//! Applications of actix-session as two processes of which one is killed under load.
//!
//! They are the examples of this crate; the library has the same, with another store.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

#[path = "../../examples/actix_counter.rs"]
#[allow(dead_code, reason = "its `main` is for users")]
mod counter;
#[path = "../../../tower-sessions/tests/processes/harness.rs"]
mod harness;
#[path = "../../examples/actix_login.rs"]
#[allow(dead_code, reason = "its `main` is for users")]
mod login;

use actix_web::cookie::Key;
use harness::{Client, NodePlan, Nodes, kill_under_load};

#[test]
#[ignore = "a node: the other tests start it as a process"]
fn node() {
    let Some(plan) = NodePlan::of_environment() else { return };
    actix_web::rt::System::new().block_on(async {
        let (cluster, key) = (plan.join().await, Key::from(&[7; 64]));
        let (server, address) = match plan.app.as_str() {
            "counter" => counter::serve(cluster.clone(), 0, key),
            _ => login::serve(cluster.clone(), 0, key),
        }
        .unwrap();
        plan.announce(&cluster, address);
        server.await.unwrap();
    });
}

/// The number in `visit 7, served by tc01`.
fn visits(page: &str) -> u64 {
    page.split([' ', ',']).nth(1).and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{page}"))
}

#[test]
fn the_counter_forgets_no_visit() {
    let mut nodes = Nodes::start("counter");
    kill_under_load(
        &mut nodes,
        |client| (client, 0),
        |(client, last)| {
            let (page, unknown) = client.ask_any("GET", "/");
            let now = visits(&page);
            // A request whose answer was lost may have counted.
            assert!(
                (*last + 1..=*last + 1 + unknown).contains(&now),
                "{now} after {last}, {unknown} unknown"
            );
            *last = now;
        },
    );
    let mut newcomer = nodes.client(1);
    assert_eq!(visits(&newcomer.ask_any("GET", "/").0), 1, "a session of its own");
}

#[test]
fn a_login_stays_and_a_logout_does() {
    let mut nodes = Nodes::start("login");
    let log_in = |mut client: Client| {
        assert_eq!(client.ask("GET", "/account").unwrap().0, 401);
        client.ask_any("POST", "/login");
        client
    };
    let mut leaving = log_in(nodes.client(0));
    let mut stolen = leaving.clone();
    leaving.ask_any("POST", "/logout");
    kill_under_load(&mut nodes, log_in, |client| {
        assert_eq!(client.ask_any("GET", "/account").0, "account of ada\n");
    });
    stolen.at = 1;
    assert_eq!(stolen.ask("GET", "/account").unwrap().0, 401, "the logout outlives its node");
}
