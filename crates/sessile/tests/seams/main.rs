//! Parts of a cluster that a user replaced: each example runs, and what it puts in goes through the suites.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]
#![allow(clippy::duplicate_mod, reason = "each example brings what it shares with the others")]

#[path = "../../examples/own_ack_set.rs"]
mod own_ack_set;
#[path = "../../examples/own_channel.rs"]
mod own_channel;
#[path = "../../examples/own_membership.rs"]
mod own_membership;

mod building;
mod messages;
mod town;

use sessile::seams::{InProcess, conformance};

#[test]
fn nodes_find_each_other_in_a_directory() {
    own_membership::main().unwrap();
}

#[tokio::test]
async fn a_directory_conforms() {
    let directory = tempfile::tempdir().unwrap();
    conformance::membership(|_| Box::new(own_membership::Directory::new(directory.path()))).await;
}

#[test]
fn sessions_survive_a_careless_channel() {
    own_channel::main().unwrap();
}

#[tokio::test]
async fn a_careless_channel_conforms() {
    let network = InProcess::default();
    conformance::channel(async |identity| own_channel::Careless::join(&network, identity).unwrap()).await;
}

#[test]
fn responses_wait_for_the_zone_of_the_writer() {
    own_ack_set::main().unwrap();
}

#[test]
fn zones_conform() {
    conformance::ack_set(&own_ack_set::Zones, &["fra-1", "fra-2", "nyc-1", "nyc-2", "zonenlos"]);
}
