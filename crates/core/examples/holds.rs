//! Time inside single calls of a core that holds many sessions: `holds SESSIONS MEMBERS`. One member dies,
//! and the others compare; of each thousand sessions one differs at the second of them. All members are in
//! this process, so that memory bounds both numbers: a million sessions on three members take about a
//! gibibyte.
//!
//! ```text
//! cargo build --release -p sessile-core --example holds
//! target/release/examples/holds 1000000 3
//! ```
//!
//! A call about membership holds the roster's lock throughout, and each shard's for a part of it; a frame of
//! one shard holds that shard's lock; a tick holds each in turn, and a sixteenth of its time is given. The
//! times are those of a wall clock: run it on an idle machine, and look at the median and at what one call of
//! a hundred takes.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for a terminal")]

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use sessile_core::{
    AppId, Changes, Effects, FieldName, FrameKind, Incarnation, Instant, Node, PeerInfo, Secret, SessionKey,
    Settings, Timing, Value,
};

struct Cluster {
    nodes: Vec<Node>,
    wires: VecDeque<(usize, Incarnation, Bytes)>,
    now: Instant,
    /// Of each kind of call.
    times: BTreeMap<String, Vec<Duration>>,
    is_measured: bool,
}

impl Cluster {
    fn act(&mut self, index: usize, what: &str, shards: u32, run: impl FnOnce(&Node, Instant, &mut Effects)) {
        let mut frames: Vec<(Incarnation, Bytes)> = Vec::new();
        let mut effects = Effects::new(&mut frames);
        let is_measured = self.is_measured && index == 0;
        let before = std::time::Instant::now();
        run(&self.nodes[index], self.now, &mut effects);
        if is_measured {
            self.times.entry(what.to_owned()).or_default().push(before.elapsed() / shards);
        }
        drop(effects.into_decided());
        self.wires.extend(frames.into_iter().map(|(to, frame)| (index, to, frame)));
    }

    fn deliver(&mut self) {
        while let Some((from, to, frame)) = self.wires.pop_front() {
            let (to, from) = (to.0 as usize - 1, Incarnation(from as u32 + 1));
            if to >= self.nodes.len() {
                continue;
            }
            let kind = format!("frame {}", FrameKind::of(&frame).name());
            self.act(to, &kind, 1, |node, now, effects| {
                node.received(from, &frame, now, effects).expect("our own frames are well formed");
            });
            self.act(to, "acknowledge", 16, |node, _, effects| node.acknowledge(from, effects));
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now.plus(time);
        while self.now < end {
            self.now = self.now.plus(Timing::default().tick());
            for index in 0..self.nodes.len() {
                self.act(index, "tick (a sixteenth)", 16, |node, now, effects| node.tick(now, effects));
            }
            self.deliver();
        }
    }
}

fn main() {
    let numbers: Vec<Option<u32>> = std::env::args().skip(1).map(|number| number.parse().ok()).collect();
    let [Some(sessions), Some(members)] = numbers[..] else {
        eprintln!("holds SESSIONS MEMBERS");
        return;
    };
    let now = Instant::ORIGIN;
    let settings = |number: u32| Settings::new(Incarnation(number + 1), format!("tc{number:02}"));
    let nodes = (0..members).map(|number| Node::new(settings(number), now)).collect();
    let mut cluster =
        Cluster { nodes, wires: VecDeque::new(), now, times: BTreeMap::new(), is_measured: false };
    for from in 0..members {
        for to in (0..members).filter(|to| *to != from) {
            let peer = PeerInfo { incarnation: Incarnation(to + 1), name: format!("tc{to:02}") };
            cluster.act(from as usize, "", 1, |node, now, effects| node.link_up(&peer, now, effects));
        }
        cluster.act(from as usize, "", 1, |node, now, effects| node.searched(now, effects));
    }
    cluster.pass(Duration::from_secs(4));
    fill(&mut cluster, sessions);
    cluster.is_measured = true;
    let dead = Incarnation(members);
    cluster.nodes.pop();
    for index in 0..cluster.nodes.len() {
        cluster.act(index, "a member is gone", 1, |node, now, effects| node.gone(dead, now, effects));
    }
    cluster.deliver();
    cluster.pass(Duration::from_secs(20));
    println!("{sessions} sessions, {members} members, one dies: microseconds in one call");
    println!("{:>22} {:>8} {:>9} {:>9} {:>9}", "call", "calls", "median", "99 %", "most");
    for (what, mut times) in cluster.times {
        times.sort_unstable();
        let at = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1e6;
        println!("{what:>22} {:>8} {:>9.1} {:>9.1} {:>9.1}", times.len(), at(50), at(99), at(100));
    }
}

/// Every session at every node; of each thousand one differs.
fn fill(cluster: &mut Cluster, sessions: u32) {
    let create = Changes::create(AppId(7), Secret([9; 16]), Duration::from_secs(1800), None);
    let mut write = Changes::new();
    write.put(FieldName::attribute("cart").expect("a valid name"), Some(Value::raw(vec![7; 41])));
    for number in 0..sessions {
        let key = key(number);
        cluster.act(0, "", 1, |node, now, effects| {
            node.commit(key, &create, None, now, effects).expect("there is room");
        });
        if number % 1_000 == 0 {
            // A change that reached nobody but its writer, as if the writer's links had been cut.
            cluster.deliver();
            cluster.act(1, "", 1, |node, now, effects| {
                node.commit(key, &write, None, now, effects).expect("it is there");
            });
            cluster.wires.clear();
        }
    }
    cluster.deliver();
}

fn key(number: u32) -> SessionKey {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    key[8..].copy_from_slice(&u64::from(number).to_le_bytes());
    SessionKey(key)
}
