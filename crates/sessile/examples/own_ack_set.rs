//! A ack_set of one's own: responses wait for the members in the writer's zone, and not for those far away.
//!
//! ```sh
//! cargo run --example own_ack_set
//! ```
#![allow(clippy::print_stdout, reason = "an example tells what it does")]

mod shop;

use std::time::Duration;

use sessile::Cluster;
use sessile::seams::{AckMembers, AckSet, Candidate, CommittedSession, InProcess};

/// A node's zone is the part of its name before the dash: `fra-1` stands in `fra`.
#[derive(Debug)]
pub(crate) struct Zones;

impl AckSet for Zones {
    fn awaited(&self, _session: CommittedSession, own: &Candidate, others: &[Candidate]) -> AckMembers {
        let near = others.iter().filter(|other| zone(other) == zone(own));
        AckMembers::Only(near.map(|other| other.incarnation).collect())
    }
}

fn zone(node: &Candidate) -> &str {
    node.name.split('-').next().unwrap_or_default()
}

#[tokio::main]
pub(crate) async fn main() -> shop::Done {
    let directory = tempfile::tempdir()?;
    let network = InProcess::default();
    let mut nodes = Vec::new();
    for name in ["fra-1", "fra-2", "nyc-1"] {
        let config = shop::config(name, directory.path())?;
        let network = network.clone();
        let cluster = Cluster::builder(config).ack_set(Zones).channel(move |identity| network.join(identity));
        nodes.push(cluster.join().await?);
    }
    let mut browser = shop::Browser::default();
    browser.visit(&nodes[0], "/add/umbrella").await?;
    let wrote = browser.visit(&nodes[0], "/add/hat").await?;
    let receipt = wrote.receipt.unwrap_or_default();
    println!("fra-1 wrote: {} ({receipt}: its own and that of fra-2)", wrote.text);
    let near = browser.visit(&nodes[1], "/cart").await?;
    println!("fra-2 reads: {}, in the very next request", near.text);
    // The far member gets everything as well; only nobody waited for that.
    let mut far = browser.visit(&nodes[2], "/cart").await?;
    while far.text != wrote.text {
        tokio::time::sleep(Duration::from_millis(10)).await;
        far = browser.visit(&nodes[2], "/cart").await?;
    }
    println!("nyc-1 reads: {}, a moment later", far.text);
    for node in nodes {
        node.leave().await;
    }
    let waited_for_two = (receipt.copies, receipt.wanted) == (2, 2);
    if waited_for_two && near.text == wrote.text { Ok(()) } else { Err(format!("{receipt}").into()) }
}
