//! Frames: whole, from whom they say, and never without a bound.

use bytes::Bytes;
use tokio::time::Instant;

use super::witness::{LIMIT, POLL, Witness};
use crate::error::SendError;
use crate::frame::FRAME_LIMIT;

/// Lengths that cross the borders of buffers, and one that is far beyond all of them.
const LENGTHS: [usize; 8] = [0, 1, 100, 4_096, 65_535, 65_536, 70_001, 5 << 20];
/// How often a condition is looked at before what has not arrived is sent again.
const PATIENCE: usize = 40;
/// More than any queue may take.
const FLOOD_BYTES: usize = 1 << 30;

/// Everybody sends to everybody at once; all of it arrives in the end, and nothing else does.
pub(super) async fn frames_arrive_unchanged(all: &[&Witness]) {
    let ways: Vec<Way<'_>> = pairs(all).map(|(from, to)| Way::new(from, to)).collect();
    let deadline = Instant::now() + LIMIT;
    for round in 0.. {
        let missing: usize = ways.iter().map(|way| way.look(round % PATIENCE == 0)).sum();
        if missing == 0 {
            return;
        }
        assert!(Instant::now() < deadline, "{missing} frames never arrived, however often they were sent");
        tokio::time::sleep(POLL).await;
    }
}

fn pairs<'a>(all: &'a [&'a Witness]) -> impl Iterator<Item = (&'a Witness, &'a Witness)> {
    all.iter()
        .flat_map(|from| all.iter().map(|to| (*from, *to)))
        .filter(|(from, to)| from.incarnation != to.incarnation)
}

/// What one process sends to another.
struct Way<'a> {
    from: &'a Witness,
    to: &'a Witness,
    frames: Vec<Bytes>,
}

impl<'a> Way<'a> {
    fn new(from: &'a Witness, to: &'a Witness) -> Self {
        Self { from, to, frames: LENGTHS.map(|length| frame(from, to, length)).into() }
    }

    /// How many frames have not arrived; they are sent again if `send`.
    fn look(&self, send: bool) -> usize {
        let Self { from, to, frames } = self;
        let arrived = to.frames_from(from.incarnation);
        for frame in &arrived {
            let known = frames.contains(frame);
            assert!(known, "{} got {} bytes that {} never sent to it", to.name, frame.len(), from.name);
        }
        let missing: Vec<&Bytes> = frames.iter().filter(|frame| !arrived.contains(frame)).collect();
        for frame in missing.iter().filter(|_| send) {
            // A queue that is full is tried again in the next round.
            let _ = from.channel.send(to.incarnation, frame.len() % 3, Bytes::clone(frame));
        }
        missing.len()
    }
}

/// Tells its sender, its receiver and its length apart from all others.
fn frame(from: &Witness, to: &Witness, length: usize) -> Bytes {
    let pattern =
        [from.incarnation.to_le_bytes(), to.incarnation.to_le_bytes(), (length as u32).to_le_bytes()]
            .concat();
    pattern.into_iter().cycle().take(length).collect()
}

pub(super) fn what_cannot_be_sent_is_refused(a: &Witness) {
    let nobody = !a.incarnation;
    assert_eq!(a.channel.send(nobody, 0, Bytes::new()), Err(SendError::NotConnected(nobody)));
    let known = a.channel.counters().peers.first().map(|peer| peer.peer.incarnation);
    let known = known.expect("the counters list whom frames can be sent to");
    let too_long = Bytes::from(vec![0; FRAME_LIMIT + 1]);
    assert_eq!(a.channel.send(known, 0, too_long), Err(SendError::TooLong(FRAME_LIMIT + 1)));
    assert_eq!(a.channel.queued(nobody).bytes, 0);
}

/// `stuck` does not read. What is sent to it is refused in the end, and `other` gets its frames all the same.
pub(super) async fn a_full_queue_is_refused_and_hinders_nobody(
    a: &Witness,
    stuck: &Witness,
    other: &Witness,
) {
    stuck.read_no_more();
    let frame = Bytes::from(vec![7; 64 << 10]);
    let mut taken = 0;
    let full = loop {
        match a.channel.send(stuck.incarnation, 0, frame.clone()) {
            Ok(()) => taken += frame.len(),
            Err(full) => break full,
        }
        assert!(taken < FLOOD_BYTES, "{taken} bytes were taken for a process that does not read");
        tokio::task::yield_now().await;
    };
    assert!(matches!(full, SendError::QueueFull { to, .. } if to == stuck.incarnation), "{full:?}");
    assert!(a.channel.queued(stuck.incarnation).bytes > 0, "what waits can be seen");

    let on_time = Bytes::from_static(b"on time");
    let deadline = Instant::now() + LIMIT;
    while !other.frames_from(a.incarnation).contains(&on_time) {
        assert!(Instant::now() < deadline, "one process that does not read hinders another");
        let _ = a.channel.send(other.incarnation, 0, on_time.clone());
        tokio::time::sleep(POLL).await;
    }
    stuck.read_again();
    stuck
        .until("the rest once it reads again", |stuck| stuck.frames_from(a.incarnation).contains(&frame))
        .await;
}
