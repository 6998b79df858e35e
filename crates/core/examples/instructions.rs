//! Work of the core to count instructions of: `instructions OPERATION COUNT`, where an operation is `commit`
//! (on a node without members), `send` (commit, encode and stage for a member), `apply` (decode and apply
//! what a member sent), `acknowledge` (settle what a member confirmed) or `open`.
//!
//! ```text
//! cargo build --release -p sessile-core --example instructions
//! valgrind --tool=callgrind --toggle-collect='*measured*' target/release/examples/instructions send 1000
//! ```
//!
//! Only what runs in [`measured`] is counted. Divide by the count.
#![expect(clippy::print_stderr, reason = "a program for a terminal")]

use std::time::Duration;

use bytes::Bytes;
use sessile_core::{
    AppId, Changes, Effects, FieldName, Incarnation, Instant, Node, Opening, PeerInfo, Proof, Secret,
    SessionKey, Settings, Ticket, Timing, Value,
};

/// Frames that a node sent, each with its destination.
type Frames = Vec<(Incarnation, Bytes)>;

const SECRET: Secret = Secret([9; 16]);

/// The operation that callgrind counts.
#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    work();
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let (Some(operation), Some(Ok(count))) = (words.get(1), words.get(2).map(|count| count.parse::<u32>()))
    else {
        eprintln!("instructions commit|send|apply|acknowledge|open COUNT");
        return;
    };
    let now = Instant::ORIGIN.plus(Duration::from_secs(10));
    match operation.as_str() {
        "commit" | "open" => {
            let node = Node::alone(settings(0), now);
            let mut frames = Frames::new();
            let mut effects = Effects::new(&mut frames);
            node.commit(key(), &create(), None, now, &mut effects).expect("created");
            let changes = write();
            measured(&mut || {
                for number in 0..count {
                    let mut effects = Effects::new(&mut frames);
                    if operation == "commit" {
                        let ticket = Some(Ticket(u64::from(number)));
                        node.commit(key(), &changes, ticket, now, &mut effects).expect("committed");
                    } else {
                        let opening = node.open_at_once(key(), Proof::Secret(SECRET), now, &mut effects);
                        assert!(matches!(opening, Some(Opening::Open(_))));
                        node.close(key(), now);
                    }
                    drop(effects.into_decided());
                }
            });
        }
        _ => between_members(operation, count),
    }
}

/// What takes a second member: `send`, `apply` and `acknowledge`, each with what goes before it.
fn between_members(operation: &str, count: u32) {
    let (nodes, now) = pair();
    let changes = write();
    let mut sent = Frames::new();
    measured_if(operation == "send", &mut || {
        for number in 0..count {
            let mut effects = Effects::new(&mut sent);
            let ticket = Some(Ticket(u64::from(number)));
            nodes[0].commit(key(), &changes, ticket, now, &mut effects).expect("committed");
            drop(effects.into_decided());
        }
    });
    let mut answers = Frames::new();
    measured_if(operation == "apply", &mut || {
        for (_, frame) in &sent {
            let mut effects = Effects::new(&mut answers);
            nodes[1].received(Incarnation(1), frame, now, &mut effects).expect("well formed");
            nodes[1].acknowledge(Incarnation(1), &mut effects);
            drop(effects.into_decided());
        }
    });
    let mut further = Frames::new();
    measured_if(operation == "acknowledge", &mut || {
        for (_, frame) in &answers {
            let mut effects = Effects::new(&mut further);
            nodes[0].received(Incarnation(2), frame, now, &mut effects).expect("well formed");
            drop(effects.into_decided());
        }
    });
}

fn measured_if(is_measured: bool, work: &mut dyn FnMut()) {
    if is_measured { measured(work) } else { work() }
}

/// Two members that hold the session.
fn pair() -> ([Node; 2], Instant) {
    let mut now = Instant::ORIGIN;
    let nodes = [0, 1].map(|number| Node::new(settings(number), now));
    let mut wires: [Frames; 2] = Default::default();
    let act = |wires: &mut [Frames; 2], index: usize, run: &mut dyn FnMut(&Node, &mut Effects)| {
        run(&nodes[index], &mut Effects::new(&mut wires[index]));
    };
    for index in [0, 1] {
        let other = 1 - index;
        let peer = PeerInfo { incarnation: Incarnation(other as u32 + 1), name: format!("tc{other}") };
        act(&mut wires, index, &mut |node, effects| {
            node.link_up(&peer, now, effects);
            node.searched(now, effects);
        });
    }
    for step in 0..60 {
        now = now.plus(Timing::default().tick());
        for index in [0, 1] {
            act(&mut wires, index, &mut |node, effects| node.tick(now, effects));
        }
        if step == 50 {
            act(&mut wires, 0, &mut |node, effects| {
                node.commit(key(), &create(), None, now, effects).expect("created");
            });
        }
        while let Some((from, frames)) = [0, 1]
            .into_iter()
            .find_map(|from| (!wires[from].is_empty()).then(|| (from, std::mem::take(&mut wires[from]))))
        {
            let sender = Incarnation(from as u32 + 1);
            act(&mut wires, 1 - from, &mut |node, effects| {
                for (_, frame) in &frames {
                    node.received(sender, frame, now, effects).expect("well formed");
                }
                node.acknowledge(sender, effects);
            });
        }
    }
    assert!(nodes.iter().all(|node| node.holds(key())), "both hold it");
    (nodes, now)
}

fn settings(number: u32) -> Settings {
    Settings::new(Incarnation(number + 1), format!("tc{number}"))
}

fn key() -> SessionKey {
    SessionKey([3; 16])
}

fn create() -> Changes {
    Changes::create(AppId(7), SECRET, Duration::from_secs(1800), None)
}

fn write() -> Changes {
    let mut changes = Changes::new();
    changes.put(FieldName::attribute("a7").expect("a valid name"), Some(Value::raw(vec![7; 41])));
    changes
}
