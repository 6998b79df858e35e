//! `sessile init`: the files that it writes run as they are, and it overwrites nothing.

mod harness;

use std::net::SocketAddr;

use harness::{Client, Running, Secrets, free_block, until};

#[test]
fn the_written_files_start_two_nodes_and_a_balancer() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let base = free_block();
    let mut init = Running::start(place.path(), ["init", "sample", "--port-base", &base.to_string()]);
    assert_eq!(init.ended(), Some(0), "{}", init.err());
    let said = init.out();
    let sample = place.path().join("sample");
    // What it tells the user to start is what runs.
    let lines = said.lines().filter_map(|line| line.trim().strip_prefix("sessile "));
    let running: Vec<_> = lines.map(|line| Running::start(&sample, line.split(' '))).collect();
    assert_eq!(running.len(), 3, "{said}");
    let page = format!("http://127.0.0.1:{base}/clusterapp/");
    assert!(said.contains(&page), "{said}");
    let (balancer, secrets) = (SocketAddr::from(([127, 0, 0, 1], base)), Secrets::default());
    let mut client = Client::new(secrets.clone());
    let path = "/clusterapp/session?cmd=add&name=a&size=64&v=1";
    until("the balancer has a node", || {
        client.send(balancer, "POST", path, &[]).ok().filter(|answer| answer.status == 200)
    });
    until("both nodes are in the cluster", || {
        let mut status = Running::start(&sample, ["status", "tc02", "--json"]);
        (status.ended() == Some(0) && status.out().matches("\"incarnation\"").count() == 2).then_some(())
    });
    assert_eq!(client.get(balancer, "/clusterapp/session?cmd=show&name=a").json()["v"], 1);
    for process in &running {
        secrets.search("a process", &(process.out() + &process.err()));
    }
}

#[test]
fn nothing_is_overwritten() {
    let place = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(place.path().join("lb.toml"), "mine").expect("writable");
    let mut init = Running::start(place.path(), ["init"]);
    assert_eq!(init.ended(), Some(1));
    assert!(init.err().contains("./lb.toml exists"), "{}", init.err());
    let left = std::fs::read_dir(place.path()).expect("readable").count();
    assert_eq!(left, 1, "all files or none");
    assert_eq!(std::fs::read_to_string(place.path().join("lb.toml")).expect("readable"), "mine");
}
