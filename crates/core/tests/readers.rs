//! Two connections of one process are read at once, by a thread each.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod cluster;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use bytes::Bytes;
use cluster::{Cluster, key};
use sessile_core::{Effects, FrameSink, Incarnation, NotSent};

const READERS: usize = 2;
/// Of one session: their frames follow each other. So many may be kept that come before their turn.
const CHANGES: usize = 64;
const ROUNDS: usize = 20;
/// How often the first reader looks whether the other one has sent something before it sends itself.
const PATIENCE: usize = 200;

/// The way back, which both readers write to. The first one is so slow that the other one overtakes it, if
/// anything allows that.
#[derive(Default)]
struct Wire {
    frames: Mutex<Vec<Bytes>>,
    sent: AtomicUsize,
}

/// One reader's access to it.
struct Reader<'w> {
    wire: &'w Wire,
    patience: usize,
}

impl FrameSink for Reader<'_> {
    fn send(&mut self, _: Incarnation, frame: Bytes) -> Result<(), NotSent> {
        let before = self.wire.sent.load(SeqCst);
        for _ in 0..self.patience {
            if self.wire.sent.load(SeqCst) != before {
                break;
            }
            std::thread::yield_now();
        }
        self.wire.frames.lock().unwrap().push(frame);
        self.wire.sent.fetch_add(1, SeqCst);
        Ok(())
    }
}

#[test]
fn acknowledgements_of_two_readers_leave_in_the_order_of_their_lines() {
    let (mut cluster, writer) = (Cluster::start(2), Incarnation(1));
    cluster.create(0, key(1));
    cluster.deliver();
    for round in 0..ROUNDS {
        let tickets: Vec<_> =
            (0..CHANGES).map(|number| cluster.set(0, key(1), "number", &number.to_string())).collect();
        let (wire, frames, now) = (Wire::default(), cluster.take_wires(), cluster.now);
        let read = &|reader: usize| {
            for (.., frame) in frames.iter().skip(reader).step_by(READERS) {
                let patience = if reader == 0 { PATIENCE } else { 0 };
                let (mut sink, node) = (Reader { wire: &wire, patience }, &cluster.nodes[1]);
                let mut effects = Effects::new(&mut sink);
                node.received(writer, frame, now, &mut effects).unwrap();
                node.acknowledge(writer, &mut effects);
            }
        };
        std::thread::scope(|scope| (0..READERS).for_each(|reader| drop(scope.spawn(move || read(reader)))));
        for frame in wire.frames.into_inner().unwrap() {
            cluster.act(0, |node, now, effects| node.received(Incarnation(2), &frame, now, effects).unwrap());
        }
        let waiting = tickets.iter().filter(|ticket| cluster.receipt(0, **ticket).is_none()).count();
        assert_eq!(waiting, 0, "round {round}: settled without a second try");
    }
}
