//! Farms in which some nodes have a deploy key.

use super::*;
use crate::farm::seal::{DeployStage, Sealer};

/// The deploy key of this number.
fn key(number: u8) -> Sealer {
    Sealer::new(&sessile::ClusterSecrets::new([number; 32], Vec::new()), "sample")
}

/// A farm whose nodes of these names have a key.
fn keyed<const N: usize>(names: [&'static str; N], keys: &[(&'static str, u8)]) -> World {
    let mut world =
        World { keys: keys.iter().map(|(name, number)| (*name, key(*number))).collect(), ..World::default() };
    for (index, name) in names.into_iter().enumerate() {
        world.start(name, index as u32 + 1, Catalog::default(), BTreeMap::new(), true);
    }
    world.run(2);
    world
}

#[test]
fn a_member_without_the_deploy_key_deploys_nowhere() {
    let mut world = keyed(["tc01", "tc02", "tc03"], &[("tc01", 1), ("tc02", 1)]);
    let good = world.deploy("tc01", 1, "good");
    world.run(3);
    assert_eq!(world.mounted(), [Some(good); 3], "who has no key believes everybody");
    world.deploy("tc03", 2, "bad");
    world.run(3);
    let DeployOutcome::Refused { reason, .. } = &world.process("tc03").settled[&2] else {
        panic!("not refused")
    };
    assert!(reason.contains("without [farm] deploy_key_file"), "{reason}");
    world.remove("tc03", 3);
    world.run(3);
    assert!(
        matches!(world.process("tc03").settled[&3], DeployOutcome::Refused { .. }),
        "nor does it remove anything"
    );
    assert_eq!(world.mounted(), [Some(good); 3]);
    world.assert_tidy();
}

#[test]
fn messages_without_a_valid_seal_are_ignored() {
    let mut world = keyed(["tc01", "tc02"], &[("tc01", 1)]);
    let good = world.deploy("tc01", 1, "good");
    world.run(3);
    let (archive, bytes) = shop("bad");
    let order = DeployOrder {
        path: "/shop".to_owned(),
        timestamp: DeployTimestamp { counter: 9, incarnation: 2 },
        archive: Some(archive.clone()),
        seal: None,
    };
    let seal = world.process("tc01").machine.catalog().apps["/shop"].seal;
    assert!(seal.is_some());
    world.process("tc02").store.insert(archive.digest, bytes);
    world.process("tc02").machine.archive_stored(archive.digest);
    let listed = AnnouncedEntry { timestamp: order.timestamp, archive: Some(archive), seal };
    let catalog = Message::Catalog { apps: [("/shop".to_owned(), listed)].into(), answer: false };
    let stolen = DeployOrder { seal, ..order.clone() };
    for message in [Message::Activate(order), Message::Activate(stolen), catalog] {
        let (from, to) = (world.at("tc02"), world.at("tc01"));
        world.wire.push_back((from, to, message.encode()));
        world.deliver(usize::MAX);
        let now = world.now;
        let warnings = world.process("tc01").machine.warnings(now);
        assert!(warnings.iter().any(|warning| warning.contains("deploy_key_file")), "{warnings:?}");
    }
    world.run(20);
    assert_eq!(world.mounted()[0], Some(good));
}

#[test]
fn an_abandoned_offer_cannot_be_replayed_as_committed() {
    let mut world = keyed(["tc01", "tc02", "tc03"], &[("tc01", 1), ("tc02", 1)]);
    let (bad, _) = shop("bad");
    world.process("tc02").cannot = Some(bad.digest);
    world.deploy("tc01", 1, "bad");
    let offers = world.wire.iter().filter_map(|(_, _, frame)| match Message::decode(frame) {
        Some(Message::Offer(order)) => Some(order),
        _ => None,
    });
    let offered = offers.last().expect("an offer is under way");
    assert!(offered.seal.is_some());
    world.run(3);
    world.process("tc02").cannot = None;
    let (from, to) = (world.at("tc03"), world.at("tc02"));
    world.wire.push_back((from, to, Message::Activate(offered).encode()));
    world.run(3);
    assert_eq!(world.mounted(), [None; 3]);
}

#[test]
fn a_late_node_accepts_sealed_orders_from_any_member() {
    let mut world = keyed(["tc01", "tc02"], &[("tc01", 1), ("tc03", 1), ("tc04", 2)]);
    let digest = world.deploy("tc01", 1, "first");
    world.run(3);
    world.kill("tc01");
    for name in ["tc03", "tc04"] {
        world.start(name, 7, Catalog::default(), BTreeMap::new(), true);
    }
    world.run(5);
    assert_eq!(world.mounted(), [Some(digest), Some(digest), None], "tc02 has no key and told them");
    let now = world.now;
    let warnings = world.process("tc04").machine.warnings(now).join("\n");
    assert!(warnings.contains("another key"), "{warnings}");
    let (catalog, store) = world.kill("tc04");
    world.keys.insert("tc04", key(1));
    world.start("tc04", 8, catalog, store, true);
    world.run(5);
    assert_eq!(world.mounted(), [Some(digest); 3]);
    let now = world.now;
    assert_eq!(world.process("tc04").machine.warnings(now), [""; 0]);
}

#[test]
fn entries_older_than_the_key_are_sealed_by_their_holders() {
    let mut world = keyed(["tc01", "tc02"], &[]);
    let digest = world.deploy("tc01", 1, "first");
    world.run(3);
    for (name, incarnation) in [("tc01", 8), ("tc02", 9)] {
        let (catalog, store) = world.kill(name);
        world.keys.insert(name, key(1));
        world.start(name, incarnation, catalog, store, true);
        world.run(3);
    }
    world.keys.insert("tc03", key(1));
    world.start("tc03", 10, Catalog::default(), BTreeMap::new(), true);
    world.run(5);
    assert_eq!(world.mounted(), [Some(digest); 3]);
}

#[test]
fn an_order_committed_before_its_preparation_is_adopted() {
    let mut world = keyed(["tc01", "tc02"], &[("tc01", 1), ("tc02", 1)]);
    let digest = world.deploy("tc01", 1, "first");
    while world.process("tc02").arriving.is_empty() {
        world.deliver(1);
    }
    let offered = world.process("tc02").machine.pending.values().next().unwrap().order.clone();
    let held = key(1).sealed(offered, DeployStage::Held);
    let (from, to) = (world.at("tc01"), world.at("tc02"));
    world.wire.push_front((from, to, Message::Activate(held.clone()).encode()));
    while world.process("tc02").mounted.is_empty() {
        assert!(!world.wire.is_empty(), "it was never switched to");
        world.deliver(1);
    }
    assert_eq!(world.process("tc02").mounted["/shop"], digest);
    assert_eq!(world.process("tc02").machine.catalog().apps["/shop"].seal, held.seal);
}
