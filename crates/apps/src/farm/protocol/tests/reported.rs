//! What operators are told is what is: right after the answer to a deployment, and about deployments that
//! met.

use super::*;

/// Delivers one message after the other until the deployment has an outcome.
fn settled(world: &mut World, name: &str, number: u64) -> DeployOutcome {
    for _ in 0..10_000 {
        if let Some(outcome) = world.process(name).settled.get(&number) {
            return outcome.clone();
        }
        match world.wire.is_empty() {
            true => world.run(1),
            false => world.deliver(1),
        }
    }
    panic!("it is settled");
}

/// What `name` shows to run at `/shop` on each other node.
fn shown(world: &mut World, name: &str) -> Vec<Option<Digest>> {
    let elsewhere = world.process(name).machine.elsewhere("/shop");
    elsewhere.map(|(_, archive)| archive.map(|archive| archive.digest)).collect()
}

#[test]
fn who_asks_straight_after_a_deployment_sees_it_on_all_members() {
    let mut world = World::of(["tc01", "tc02", "tc03"]);
    let first = world.deploy("tc01", 1, "first");
    assert!(is_done(&settled(&mut world, "tc01", 1), &["tc01", "tc02", "tc03"]));
    for name in ["tc01", "tc02", "tc03"] {
        assert_eq!(shown(&mut world, name), [Some(first); 2], "as {name} shows it, without a tick since");
    }
    world.remove("tc02", 2);
    settled(&mut world, "tc02", 2);
    for name in ["tc01", "tc02", "tc03"] {
        assert_eq!(shown(&mut world, name), [None; 2], "as {name} shows it");
    }
}

#[test]
fn a_deployment_that_a_later_one_overtook_is_not_called_active() {
    let mut world = World::of(["tc01", "tc02"]);
    world.deploy("tc01", 1, "one");
    world.deploy("tc02", 2, "two");
    world.run(10);
    let DeployOutcome::Done { nodes, .. } = settled(&mut world, "tc01", 1) else { panic!("it was prepared") };
    assert!(nodes.iter().all(|(_, result)| *result == NodeResult::Superseded), "{nodes:?}");
    assert!(is_done(&settled(&mut world, "tc02", 2), &["tc02", "tc01"]));
}

#[test]
fn a_second_rollback_does_not_go_forward() {
    let mut catalog = Catalog::default();
    let mut counter = 0;
    let mut put = |catalog: &mut Catalog, archive: Option<ArchiveRef>| {
        counter += 1;
        let timestamp = DeployTimestamp { counter, incarnation: 1 };
        catalog.put(DeployOrder { path: "/shop".to_owned(), timestamp, archive, seal: None });
    };
    let to_restore = |catalog: &Catalog| {
        let entry = &catalog.apps["/shop"];
        entry.previous_to_restore().map(|archive| archive.digest)
    };
    let [one, two, three] = ["one", "two", "three"].map(|content| shop(content).0);
    put(&mut catalog, Some(one.clone()));
    assert_eq!(to_restore(&catalog), None);
    put(&mut catalog, Some(two.clone()));
    assert_eq!(to_restore(&catalog), Some(one.digest));
    put(&mut catalog, Some(one.clone()));
    assert_eq!(to_restore(&catalog), None, "it went back: what ran before is the newer one");
    put(&mut catalog, Some(one.clone()));
    assert_eq!(to_restore(&catalog), None, "also when it is deployed once more");
    put(&mut catalog, Some(three.clone()));
    assert_eq!(to_restore(&catalog), Some(one.digest));
    put(&mut catalog, None);
    assert_eq!(to_restore(&catalog), Some(three.digest), "a removal can be undone");
    put(&mut catalog, Some(three.clone()));
    assert_eq!(to_restore(&catalog), None, "once");
}
