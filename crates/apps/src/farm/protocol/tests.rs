//! A farm of state machines in memory, with a configurable lossy network.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;

mod keyed;
mod reported;

const DEPLOY_TIME: Duration = Duration::from_secs(60);
const STEP: Duration = Duration::from_millis(200);

/// One process: the machine and the state of a simulated driver.
struct Process {
    machine: Protocol,
    store: BTreeMap<Digest, Bytes>,
    arriving: BTreeMap<Digest, BTreeMap<u64, Bytes>>,
    prepared: BTreeSet<(String, DeployTimestamp)>,
    /// Mounted archives, and archives on disk.
    mounted: BTreeMap<String, Digest>,
    settled: BTreeMap<u64, DeployOutcome>,
    /// The newest activation at each path.
    newest: BTreeMap<String, DeployTimestamp>,
    /// An archive that it cannot run.
    cannot: Option<Digest>,
    /// Number of pieces that still fit on its disk.
    room: usize,
    catch_up: bool,
}

/// All processes and the messages between them.
#[derive(Default)]
struct World {
    processes: BTreeMap<FarmMember, Process>,
    wire: VecDeque<(FarmMember, FarmMember, Bytes)>,
    now: Duration,
    /// Percentage of lost messages.
    loss: u64,
    dice: u64,
    /// The deploy keys of keyed nodes.
    keys: BTreeMap<&'static str, Sealer>,
}

fn member(name: &str, incarnation: u32) -> FarmMember {
    FarmMember { name: name.to_owned(), incarnation }
}

/// An archive of this content for `/shop`.
fn shop(content: &str) -> (ArchiveRef, Bytes) {
    let bytes = Bytes::from(content.repeat(50));
    let digest = Digest::of(&bytes);
    (ArchiveRef { name: "shop.zip".parse().unwrap(), digest, bytes: bytes.len() as u64 }, bytes)
}

impl World {
    fn of<const N: usize>(names: [&str; N]) -> Self {
        let mut world = Self::default();
        for (index, name) in names.into_iter().enumerate() {
            world.start(name, index as u32 + 1, Catalog::default(), BTreeMap::new(), true);
        }
        world.run(2);
        world
    }

    fn start(
        &mut self,
        name: &str,
        incarnation: u32,
        catalog: Catalog,
        store: BTreeMap<Digest, Bytes>,
        catch_up: bool,
    ) {
        let settings =
            FarmSettings { catch_up, deploy_time: DEPLOY_TIME, piece_bytes: 16, archive_bytes: 1 << 20 };
        let mounted = catalog.apps.iter();
        let mounted = mounted
            .filter_map(|(path, entry)| Some((path.clone(), entry.archive.as_ref()?.digest)))
            .collect();
        let archive_stored = store.keys().copied().collect();
        let sealer = self.keys.get(name).cloned().unwrap_or_default();
        let machine = Protocol::new(member(name, incarnation), settings, sealer, catalog, archive_stored);
        let (arriving, prepared, settled) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        let (newest, cannot, room) = (BTreeMap::new(), None, usize::MAX);
        let process =
            Process { machine, store, arriving, prepared, mounted, settled, newest, cannot, room, catch_up };
        self.processes.insert(member(name, incarnation), process);
    }

    /// Kills the process; returns its disk for the next process of that name.
    fn kill(&mut self, name: &str) -> (Catalog, BTreeMap<Digest, Bytes>) {
        let who = self.at(name);
        let dead = self.processes.remove(&who).unwrap();
        self.wire.retain(|(from, to, _)| *from != who && *to != who);
        (dead.machine.catalog.clone(), dead.store)
    }

    fn at(&self, name: &str) -> FarmMember {
        self.processes.keys().find(|member| member.name == name).expect("it runs").clone()
    }

    fn process(&mut self, name: &str) -> &mut Process {
        let who = self.at(name);
        self.processes.get_mut(&who).unwrap()
    }

    fn deploy(&mut self, name: &str, number: u64, content: &str) -> Digest {
        let (archived, bytes) = shop(content);
        let (digest, now) = (archived.digest, self.now);
        let process = self.process(name);
        process.store.insert(digest, bytes);
        process.machine.archive_stored(digest);
        let mut effects = Vec::new();
        process.machine.order(number, "/shop", Some(archived), now, &mut effects);
        self.carry_out(&self.at(name), effects);
        digest
    }

    fn remove(&mut self, name: &str, number: u64) {
        let (mut effects, now) = (Vec::new(), self.now);
        self.process(name).machine.order(number, "/shop", None, now, &mut effects);
        self.carry_out(&self.at(name), effects);
    }

    fn mounted(&self) -> Vec<Option<Digest>> {
        self.processes.values().map(|process| process.mounted.get("/shop").copied()).collect()
    }

    /// Delivers all messages and lets time pass, `steps` times.
    fn run(&mut self, steps: u32) {
        for _ in 0..steps {
            let members: BTreeSet<FarmMember> = self.processes.keys().cloned().collect();
            for who in &members {
                let (now, mut effects) = (self.now, Vec::new());
                let machine = &mut self.processes.get_mut(who).unwrap().machine;
                machine.members(&members, now, &mut effects);
                machine.tick(now, &mut effects);
                self.carry_out(who, effects);
            }
            self.deliver(usize::MAX);
            self.now += STEP;
        }
    }

    /// Delivers at most `most` messages.
    fn deliver(&mut self, most: usize) {
        for _ in 0..most {
            let Some((from, to, frame)) = self.wire.pop_front() else { return };
            self.dice = self.dice.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            if (self.dice >> 33) % 100 < self.loss {
                continue;
            }
            let message = Message::decode(&frame).expect("whole");
            let (now, mut effects) = (self.now, Vec::new());
            let Some(process) = self.processes.get_mut(&to) else { continue };
            process.machine.received(&from, message, now, &mut effects);
            self.carry_out(&to, effects);
        }
    }

    fn carry_out(&mut self, who: &FarmMember, effects: Vec<Effect>) {
        let mut effects = VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            let now = self.now;
            let process = self.processes.get_mut(who).unwrap();
            let mut more = Vec::new();
            if let Effect::Activate(order) = &effect {
                let before = process.newest.insert(order.path.clone(), order.timestamp);
                assert!(before < Some(order.timestamp), "an older deployment took the place of a later one");
            }
            match effect {
                Effect::Send { to, message } => self.wire.push_back((who.clone(), to, message.encode())),
                Effect::SendPiece { to, digest, from, bytes } => {
                    let (from_byte, to_byte) = (from as usize, from as usize + bytes as usize);
                    let bytes = process.store[&digest].slice(from_byte..to_byte);
                    self.wire.push_back((who.clone(), to, Message::Piece { digest, from, bytes }.encode()));
                }
                Effect::Write { digest, .. } if process.room == 0 => {
                    process.machine.fetched(digest, Err("the disk is full".to_owned()), &mut more);
                }
                Effect::Write { digest, from, bytes } => {
                    process.room -= 1;
                    process.arriving.entry(digest).or_default().insert(from, bytes);
                }
                Effect::Finish { digest } => {
                    let parts = process.arriving.remove(&digest).unwrap();
                    let whole: Bytes = parts.into_values().flatten().collect::<Vec<u8>>().into();
                    assert_eq!(Digest::of(&whole), digest);
                    process.store.insert(digest, whole);
                    process.machine.fetched(digest, Ok(()), &mut more);
                }
                Effect::Drop { digest } => drop(process.arriving.remove(&digest)),
                Effect::Prepare { path, timestamp, archive } => {
                    assert!(process.store.contains_key(&archive.digest), "it is here when it is prepared");
                    let result = match process.cannot == Some(archive.digest) {
                        true => Err("no such import".to_owned()),
                        false => Ok(()),
                    };
                    if result.is_ok() {
                        process.prepared.insert((path.clone(), timestamp));
                    }
                    process.machine.prepared(&path, timestamp, result, now, &mut more);
                }
                Effect::Activate(DeployOrder { path, timestamp, archive: Some(archive), .. }) => {
                    assert!(
                        process.prepared.remove(&(path.clone(), timestamp)),
                        "only what was prepared is mounted"
                    );
                    process.mounted.insert(path, archive.digest);
                }
                Effect::Activate(DeployOrder { path, .. }) => drop(process.mounted.remove(&path)),
                Effect::Discard { path, timestamp } => drop(process.prepared.remove(&(path, timestamp))),
                Effect::Settled { number, outcome } => drop(process.settled.insert(number, outcome)),
            }
            for effect in more.into_iter().rev() {
                effects.push_front(effect);
            }
        }
    }

    /// No partial work is left.
    fn assert_tidy(&self) {
        for (who, process) in &self.processes {
            assert_eq!(process.prepared, BTreeSet::new(), "{who:?}");
            assert!(process.arriving.is_empty(), "{who:?} keeps what it fetched");
            assert_eq!(process.machine.under_way(), 0, "{who:?}: {:?}", process.machine);
        }
    }
}

/// Whether the deployment is done and runs on all of these nodes.
fn is_done(outcome: &DeployOutcome, names: &[&str]) -> bool {
    let active = |name: &&str| ((*name).to_owned(), NodeResult::Active);
    matches!(outcome, DeployOutcome::Done { nodes, .. } if *nodes == names.iter().map(active).collect::<Vec<_>>())
}

#[test]
fn no_member_switches_before_all_have_prepared() {
    let mut world = World::of(["tc01", "tc02", "tc03"]);
    let first = world.deploy("tc01", 1, "first");
    for _ in 0..10_000 {
        if world.wire.is_empty() {
            break;
        }
        let all_prepared = world
            .processes
            .values()
            .all(|process| !process.prepared.is_empty() || process.mounted.contains_key("/shop"));
        if !all_prepared {
            assert!(world.mounted().iter().all(Option::is_none), "a node switched too early");
        }
        world.deliver(1);
    }
    assert_eq!(world.mounted(), [Some(first); 3]);
    assert!(is_done(&world.process("tc01").settled[&1], &["tc01", "tc02", "tc03"]));
    world.run(2);
    world.assert_tidy();
    let second = world.deploy("tc03", 2, "second");
    world.run(2);
    assert_eq!(world.mounted(), [Some(second); 3]);
    let previous = world.process("tc02").machine.catalog().apps["/shop"].previous.clone();
    assert_eq!(previous.map(|archive| archive.digest), Some(first), "the way back");
    world.remove("tc02", 3);
    world.run(2);
    assert_eq!(world.mounted(), [None; 3]);
    world.assert_tidy();
}

#[test]
fn an_archive_that_one_node_cannot_run_runs_nowhere() {
    let mut world = World::of(["tc01", "tc02", "tc03"]);
    let good = world.deploy("tc01", 1, "good");
    world.run(2);
    let (bad, _) = shop("bad");
    world.process("tc02").cannot = Some(bad.digest);
    world.deploy("tc01", 2, "bad");
    world.run(3);
    let refused = DeployOutcome::Refused { by: "tc02".to_owned(), reason: "no such import".to_owned() };
    assert_eq!(world.process("tc01").settled[&2], refused);
    assert_eq!(world.mounted(), [Some(good); 3]);
    world.assert_tidy();
}

#[test]
fn a_full_disk_keeps_no_partial_archive() {
    let mut world = World::of(["tc01", "tc02"]);
    world.process("tc02").room = 3;
    world.deploy("tc01", 1, "too much");
    world.run(3);
    let refused = DeployOutcome::Refused { by: "tc02".to_owned(), reason: "the disk is full".to_owned() };
    assert_eq!(world.process("tc01").settled[&1], refused);
    assert_eq!(world.mounted(), [None; 2]);
    world.assert_tidy();
}

#[test]
fn a_coordinator_that_dies_before_its_commit_leaves_nothing() {
    let mut world = World::of(["tc01", "tc02"]);
    world.deploy("tc01", 1, "first");
    while world.process("tc02").arriving.is_empty() {
        world.deliver(1);
    }
    world.kill("tc01");
    world.run(5);
    assert_eq!(world.mounted(), [None]);
    world.assert_tidy();
}

#[test]
fn a_commit_of_a_dead_coordinator_spreads_when_it_returns() {
    let mut world = World::of(["tc01", "tc02"]);
    let digest = world.deploy("tc01", 1, "first");
    while world.process("tc01").mounted.is_empty() {
        world.deliver(1);
    }
    let (catalog, store) = world.kill("tc01");
    world.run(5);
    assert_eq!(world.mounted(), [None], "tc02 cannot know");
    world.start("tc01", 9, catalog, store, true);
    world.run(5);
    assert_eq!(world.mounted(), [Some(digest); 2]);
    world.assert_tidy();
}

#[test]
fn a_dead_member_does_not_block_and_catches_up() {
    let mut world = World::of(["tc01", "tc02", "tc03"]);
    let digest = world.deploy("tc01", 1, "first");
    world.deliver(9);
    let (catalog, store) = world.kill("tc02");
    world.run(3);
    let DeployOutcome::Done { nodes, .. } = &world.process("tc01").settled[&1] else { panic!("not done") };
    assert!(nodes.contains(&("tc02".to_owned(), NodeResult::Left)), "{nodes:?}");
    world.start("tc02", 9, catalog, store, true);
    assert!(!world.mounted().iter().all(|mounted| *mounted == Some(digest)));
    world.run(5);
    assert_eq!(world.mounted(), [Some(digest); 3]);
    let now = world.now;
    assert!(world.process("tc02").machine.has_caught_up(now));
    world.assert_tidy();
}

#[test]
fn without_catch_up_a_late_node_has_nothing_and_is_reported() {
    let mut world = World::of(["tc01"]);
    let digest = world.deploy("tc01", 1, "first");
    world.start("tc02", 2, Catalog::default(), BTreeMap::new(), false);
    world.run(100);
    assert_eq!(world.mounted(), [Some(digest), None]);
    let now = world.now;
    let warnings = world.process("tc01").machine.warnings(now);
    assert!(warnings.len() == 1 && warnings[0].contains("tc02 runs nothing"), "{warnings:?}");
    let second = world.deploy("tc01", 2, "second");
    world.run(5);
    assert_eq!(world.mounted(), [Some(second); 2], "what is deployed while it is there it takes");
    let now = world.now;
    assert_eq!(world.process("tc01").machine.warnings(now), [""; 0]);
}

#[test]
fn a_member_without_a_farm_does_not_block() {
    let mut world = World::of(["tc01"]);
    let members = BTreeSet::from([member("tc01", 1), member("mute", 7)]);
    let who = world.at("tc01");
    let (now, mut effects) = (world.now, Vec::new());
    world.process("tc01").machine.members(&members, now, &mut effects);
    world.carry_out(&who, effects);
    world.deploy("tc01", 1, "first");
    for second in 1..10 {
        let mut effects = Vec::new();
        world.process("tc01").machine.tick(now + Duration::from_secs(second), &mut effects);
        world.carry_out(&who, effects);
    }
    let DeployOutcome::Done { nodes, .. } = &world.process("tc01").settled[&1] else { panic!("not done") };
    assert_eq!(nodes[1], ("mute".to_owned(), NodeResult::NoFarm));
}

#[test]
fn two_nodes_that_deploy_at_once_agree_on_one() {
    let mut world = World::of(["tc01", "tc02", "tc03"]);
    world.deploy("tc01", 1, "one");
    let two = world.deploy("tc02", 2, "two");
    world.run(10);
    assert_eq!(world.mounted(), [Some(two); 3], "of equal counters the higher incarnation wins");
    world.assert_tidy();
}

#[test]
fn a_slow_preparation_is_given_up() {
    let mut world = World::of(["tc01", "tc02"]);
    world.loss = 100;
    world.deploy("tc01", 1, "first");
    world.run(60 * 5 + 5);
    let waiting = DeployOutcome::TimedOut { waiting: vec!["tc02".to_owned()] };
    assert_eq!(world.process("tc01").settled[&1], waiting);
    assert_eq!(world.mounted(), [None; 2]);
    world.loss = 0;
    world.run(60 * 5 + 5);
    world.assert_tidy();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn all_members_agree_after_random_faults(
        events in proptest::collection::vec((0..6_u8, 0..3_usize, 0..30_usize), 1..14),
        loss in 0..40_u64,
        dice in any::<u64>(),
    ) {
        let names = ["tc01", "tc02", "tc03"];
        let mut world = World::of(names);
        (world.loss, world.dice) = (loss, dice);
        let mut down: BTreeMap<&str, (Catalog, BTreeMap<Digest, Bytes>, bool)> = BTreeMap::new();
        for (turn, (event, node, messages)) in events.into_iter().enumerate() {
            let (name, turn) = (names[node], turn as u32);
            match event {
                0 if !down.contains_key(name) && world.processes.len() > 1 => {
                    let catch_up = world.process(name).catch_up;
                    let (catalog, store) = world.kill(name);
                    down.insert(name, (catalog, store, catch_up));
                }
                1 if !down.contains_key(name) => world.remove(name, u64::from(turn)),
                2 | 3 if !down.contains_key(name) => {
                    world.deploy(name, u64::from(turn), &format!("content {turn}"));
                }
                _ => if let Some((catalog, store, catch_up)) = down.remove(name) {
                    world.start(name, 100 + turn, catalog, store, catch_up);
                }
            }
            world.deliver(messages);
            if messages % 3 == 0 {
                world.run(messages as u32 / 3);
            }
        }
        world.loss = 0;
        for (name, (catalog, store, catch_up)) in std::mem::take(&mut down) {
            world.start(name, 200, catalog, store, catch_up);
        }
        world.run(800);
        let mounted = world.mounted();
        prop_assert!(mounted.iter().all(|one| *one == mounted[0]), "{:?}", mounted);
        world.assert_tidy();
    }
}
