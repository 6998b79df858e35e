//! Applications of tower-sessions, and of axum-login and axum-messages, as two processes of which one is
//! killed under load.
//!
//! They are the examples of this crate; the libraries have the same, with another store.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

#[path = "../../examples/tower_counter.rs"]
#[allow(dead_code, reason = "its `main` is for users")]
mod counter;
mod harness;
#[path = "../../examples/tower_login.rs"]
#[allow(dead_code, reason = "its `main` is for users")]
mod login;

use harness::{Client, NodePlan, Nodes, kill_under_load};
use tokio::net::TcpListener;

#[test]
#[ignore = "a node: the other tests start it as a process"]
fn node() {
    let Some(plan) = NodePlan::of_environment() else { return };
    let serve = async {
        let cluster = plan.join().await;
        let app = match plan.app.as_str() {
            "counter" => counter::app(&cluster),
            _ => login::app(&cluster),
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        plan.announce(&cluster, listener.local_addr().unwrap());
        axum::serve(listener, app).await.unwrap();
    };
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(serve);
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
fn a_login_and_a_message_stay() {
    let mut nodes = Nodes::start("login");
    let log_in = |mut client: Client| {
        assert_eq!(client.ask("GET", "/account").unwrap().0, 401);
        client.ask_any("POST", "/login");
        client
    };
    let welcomed = |client: &mut Client| assert_eq!(client.ask_any("GET", "/messages").0, "welcome\n");
    let mut waiting = log_in(nodes.client(0));
    let mut leaving = log_in(nodes.client(0));
    let mut stolen = leaving.clone();
    leaving.ask_any("POST", "/logout");
    kill_under_load(&mut nodes, log_in, |client| assert_eq!(client.ask_any("GET", "/account").0, "hers\n"));
    welcomed(&mut waiting);
    assert_eq!(waiting.ask_any("GET", "/messages").0, "", "it was read");
    stolen.at = 1;
    assert_eq!(stolen.ask("GET", "/account").unwrap().0, 401, "the logout outlives its node");
}
