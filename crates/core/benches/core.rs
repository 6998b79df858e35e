//! How long the core's own work takes: merging, committing with encoding, receiving with decoding, the table.
//!
//! Everything goes through what the crate offers others: whole [`Node`]s without sockets.
//! `cargo bench -p sessile-core`.

use std::time::Duration;

use bytes::Bytes;
use divan::{Bencher, black_box};
use sessile_core::{
    AppId, Changes, Effects, FieldName, Fields, Incarnation, Instant, Node, PeerInfo, Secret, SessionKey,
    Settings, Timestamp, Timing, Value,
};

/// Bytes of a value: small, one kilobyte, large.
const SIZES: [usize; 3] = [41, 1_024, 102_400];
/// Sessions in a table.
const SESSIONS: [u32; 2] = [1_000, 100_000];
/// Far longer than two nodes need to find each other.
const JOINING: Duration = Duration::from_secs(3);

fn main() {
    divan::main();
}

/// A write that is newer than the field that is there.
#[divan::bench(args = SIZES)]
fn merge(bencher: Bencher, size: usize) {
    let value = Value::raw(vec![7; size]);
    let (mut fields, mut counter) = (Fields::default(), 0);
    bencher.bench_local(|| {
        counter += 1;
        fields.merge("a7", Timestamp::new(counter, Incarnation(1)), Some(black_box(&value)))
    });
}

/// Commits one attribute, and encodes it for the other member, which acknowledges outside of what is
/// measured.
#[divan::bench(args = SIZES)]
fn commit_and_encode(bencher: Bencher, size: usize) {
    let mut pair = Pair::start();
    pair.commit(0, &create());
    pair.deliver();
    let changes = write(size);
    let pair = std::cell::RefCell::new(pair);
    bencher
        .with_inputs(|| pair.borrow_mut().deliver())
        .bench_local_values(|()| pair.borrow_mut().commit(0, black_box(&changes)));
}

/// Decodes and applies one attribute that the other member sent.
#[divan::bench(args = SIZES)]
fn decode_and_apply(bencher: Bencher, size: usize) {
    let mut pair = Pair::start();
    pair.commit(0, &create());
    pair.deliver();
    let changes = write(size);
    let pair = std::cell::RefCell::new(pair);
    bencher
        .with_inputs(|| {
            let mut pair = pair.borrow_mut();
            pair.deliver();
            pair.commit(0, &changes);
            std::mem::take(&mut pair.sent[0])
        })
        .bench_local_values(|frames| pair.borrow_mut().receive(1, black_box(&frames)));
}

/// Finds a session among many and clones its fields.
#[divan::bench(args = SESSIONS)]
fn table_lookup(bencher: Bencher, sessions: u32) {
    let node = Node::alone(settings(0), Instant::ORIGIN);
    for number in 0..sessions {
        let (mut frames, now) = (Vec::new(), Instant::ORIGIN);
        node.commit(key(number), &create(), None, now, &mut Effects::new(&mut frames))
            .expect("there is room");
    }
    let mut number = 0_u32;
    bencher.bench_local(|| {
        number = number.wrapping_add(7_919) % sessions;
        node.peek(black_box(key(number))).expect("it is there")
    });
}

/// A node joins one that is full: what the donor and the joiner compute for it together.
#[divan::bench(args = [(129, 10_000), (1_024, 10_000)], sample_count = 5, sample_size = 1)]
fn state_transfer(bencher: Bencher, (size, sessions): (usize, u32)) {
    let full = || {
        let mut pair = Pair::apart();
        pair.found(0);
        let changes = filled(size);
        for number in 0..sessions {
            pair.act(0, |node, now, effects| node.commit(key(number), &changes, None, now, effects))
                .expect("there is room");
        }
        pair
    };
    let joined = |mut pair: Pair| {
        pair.introduce();
        pair.pass(JOINING);
        assert_eq!(pair.nodes[1].peek(key(sessions - 1)).map(|(app, _)| app), Some(AppId(7)));
        pair
    };
    bencher.counter(sessions).with_inputs(full).bench_local_values(joined);
}

/// Frames and whom they are for.
type Frames = Vec<(Incarnation, Bytes)>;

/// Two nodes and the frames between them.
struct Pair {
    nodes: [Node; 2],
    now: Instant,
    /// By the node that sent them.
    sent: [Frames; 2],
}

impl Pair {
    fn start() -> Self {
        let mut pair = Self::apart();
        pair.introduce();
        pair.pass(JOINING);
        pair
    }

    /// Neither knows of the other.
    fn apart() -> Self {
        let now = Instant::ORIGIN;
        let nodes = [0, 1].map(|number| Node::new(settings(number), now));
        Self { nodes, now, sent: [Vec::new(), Vec::new()] }
    }

    /// That node looked for others and found nobody: it begins a cluster.
    fn found(&mut self, index: usize) {
        self.act(index, |node, now, effects| node.searched(now, effects));
        self.pass(JOINING);
    }

    /// Links each of them to the other.
    fn introduce(&mut self) {
        for from in [0, 1] {
            let other = 1 - from;
            let peer = PeerInfo { incarnation: Incarnation(other as u32 + 1), name: format!("tc{other}") };
            self.act(from, |node, now, effects| node.link_up(&peer, now, effects));
            self.act(from, |node, now, effects| node.searched(now, effects));
        }
    }

    /// Lets time pass.
    fn pass(&mut self, time: Duration) {
        let end = self.now.plus(time);
        while self.now < end {
            self.now = self.now.plus(Timing::default().tick());
            for node in [0, 1] {
                self.act(node, |node, now, effects| node.tick(now, effects));
            }
            self.deliver();
        }
    }

    fn act<R>(&mut self, index: usize, run: impl FnOnce(&Node, Instant, &mut Effects) -> R) -> R {
        let mut effects = Effects::new(&mut self.sent[index]);
        run(&self.nodes[index], self.now, &mut effects)
    }

    fn commit(&mut self, index: usize, changes: &Changes) {
        self.act(index, |node, now, effects| node.commit(key(0), changes, None, now, effects))
            .expect("committed");
    }

    fn receive(&mut self, index: usize, frames: &[(Incarnation, Bytes)]) {
        let from = Incarnation(2 - index as u32);
        for (_, frame) in frames {
            self.act(index, |node, now, effects| node.received(from, frame, now, effects))
                .expect("well formed");
        }
        self.act(index, |node, _, effects| node.acknowledge(from, effects));
    }

    /// Delivers all frames until nothing is on the way.
    fn deliver(&mut self) {
        while !self.sent.iter().all(Vec::is_empty) {
            let sent = std::mem::take(&mut self.sent);
            self.receive(1, &sent[0]);
            self.receive(0, &sent[1]);
        }
    }
}

fn settings(number: u32) -> Settings {
    Settings::new(Incarnation(number + 1), format!("tc{number}"))
}

fn key(number: u32) -> SessionKey {
    // Keys are random in real life: a table spreads them by their bits.
    SessionKey((u128::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)).to_le_bytes())
}

fn create() -> Changes {
    Changes::create(AppId(7), Secret([9; 16]), Duration::from_secs(1800), None)
}

/// A new session with one value.
fn filled(size: usize) -> Changes {
    let mut changes = create();
    let name = FieldName::attribute("a7").expect("a valid name");
    changes.put(name, Some(Value::raw(vec![7; size])));
    changes
}

fn write(size: usize) -> Changes {
    let mut changes = Changes::new();
    let name = FieldName::attribute("a7").expect("a valid name");
    changes.put(name, Some(Value::raw(vec![7; size])));
    changes
}
