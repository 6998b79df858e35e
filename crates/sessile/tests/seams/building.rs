//! What a builder makes of the parts that it is given, and what it refuses.

use std::io;

use sessile::config::{Manager, MembershipKind};
use sessile::seams::Static;
use sessile::{Cluster, JoinError};

use crate::town::{Town, until};

#[tokio::test]
async fn without_own_parts_everything_comes_from_the_configuration() {
    let town = Town::new();
    let mut config = town.config("tc01");
    config.membership.kind = MembershipKind::Static;
    config.membership.members = vec!["127.0.0.1:1".parse().unwrap()];
    let one = Cluster::builder(config.clone()).join().await.unwrap();
    config.node.name = "tc02".to_owned();
    config.membership.members = vec![one.members()[0].address.parse().unwrap()];
    let two = Cluster::join(config).await.unwrap();
    until("two members", || one.members().len() == 2 && two.members().len() == 2).await;
}

#[tokio::test]
async fn a_channel_and_a_membership_contradict_each_other() {
    let town = Town::new();
    let both = town.builder("tc01").membership(Static::new::<&str>(&[]).unwrap());
    let refused = both.join().await.unwrap_err();
    assert!(matches!(refused, JoinError::MembershipUnused), "{refused}");
    assert!(refused.to_string().contains("leave out the membership"), "{refused}");
}

#[tokio::test]
async fn a_channel_that_cannot_begin_says_why() {
    let town = Town::new();
    let broken =
        Cluster::builder(town.config("tc01")).channel(|_| Err(io::Error::other("no carrier pigeons")));
    let refused = broken.start().await.unwrap_err().to_string();
    assert!(refused.contains("no carrier pigeons"), "{refused}");
}

#[tokio::test]
async fn a_local_manager_uses_none_of_them() {
    let town = Town::new();
    let mut config = town.config("tc01");
    config.cluster.manager = Manager::Local;
    let channel = |_| -> io::Result<_> { panic!("a channel was begun") };
    let alone = Cluster::builder(config).channel(channel).join().await.unwrap();
    assert!(alone.is_ready());
}

#[tokio::test]
async fn a_name_that_is_taken_is_refused_over_any_channel() {
    let town = Town::new();
    let _first = town.node("tc01", 1).await;
    let refused = town.builder("tc01").join().await.unwrap_err();
    assert!(matches!(refused, JoinError::NameTaken { .. }), "{refused}");
}

#[tokio::test]
async fn who_leaves_or_dies_is_missed_at_once() {
    let town = Town::new();
    let one = town.node("tc01", 1).await;
    let two = town.node("tc02", 2).await;
    let three = town.node("tc03", 3).await;
    two.leave().await;
    until("the one that left", || one.members().len() == 2).await;
    drop(three);
    until("the one that was killed", || one.members().len() == 1).await;
    assert!(one.is_ready());
}
