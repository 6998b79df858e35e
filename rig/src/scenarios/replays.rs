//! Replays recorded traffic of nodes.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Result, bail};
use sessile_history::SeededRng;

use crate::figures::Figures;
use crate::host::{Host, NodeSettings};
use crate::link_emulator::Recording;
use crate::rig::{Rig, ScenarioContext};
use crate::scenario::Scenario;
use crate::scenarios::{end, go_on};

/// Replays of each recording in each way.
const TIMES: usize = 6;
/// Longest wait for a reply, and for the end of a connection.
const PATIENCE: Duration = Duration::from_secs(2);
/// Most bytes that a node sends to an unauthenticated peer: its half of a TLS handshake.
const ANSWER: usize = 2 * 1024;
/// The first record of TLS: a byte of kind, two of version, two of length.
const HEADER: usize = 5;

pub(crate) const CONNECTIONS: Scenario = Scenario {
    name: "F39-F40-replay",
    title: "recorded traffic of nodes is replayed on new connections: unchanged, damaged, truncated, and without its beginning, under load",
    bar: "no member is removed or admitted, every replay is counted as refused, and no unauthenticated peer gets more than 2 KiB",
    quick: false,
    play: connections,
};

fn connections(context: &ScenarioContext) -> Result<Figures> {
    let mut rig = context.cluster(3, &NodeSettings::default())?;
    let link_faults = rig.emulate(2)?;
    link_faults.record();
    rig.kill(2)?;
    rig.restart(2, 2)?;
    rig.together()?;
    rig.load(context, &[])?;
    go_on(2);
    let recordings = link_faults.recordings();
    if recordings.is_empty() {
        bail!("no connection was recorded");
    }
    rig.report_event("note replayed connections")?;
    let (refused, removals, up) = (refused(&rig)?, rig.removals(), links_up(&rig)?);
    let mut replies = StrangerReplies::default();
    let mut rng = context.rng();
    for _ in 0..TIMES {
        recordings.iter().try_for_each(|recording| replies.by_all(recording, &mut rng))?;
    }
    let (refused, removals, up) =
        (self::refused(&rig)? - refused, rig.removals() - removals, links_up(&rig)? - up);
    let mut figures = end(&mut rig)?;
    figures.measure("recordings", recordings.len());
    figures.measure("replays", replies.replays);
    figures.measure("refused", refused);
    figures.measure("longest reply", format!("{} B", replies.most));
    figures.measure("for a greeting", format!("{} B of {} B", replies.greeted.0, replies.greeted.1));
    figures.measure(
        "replies in all",
        format!("{} KiB after {} KiB", replies.answered >> 10, replies.sent >> 10),
    );
    figures.require(removals == 0 && up == 0.0, || format!("{removals} removals, {up} new links"));
    figures.require(refused >= replies.replays as f64, || format!("only {refused} were counted"));
    figures.require(replies.most <= ANSWER, || format!("an unauthenticated peer got {} B", replies.most));
    Ok(figures)
}

/// What strangers were replies.
#[derive(Debug, Default)]
struct StrangerReplies {
    replays: usize,
    sent: usize,
    answered: usize,
    /// Length of the longest reply.
    most: usize,
    /// Lengths of the longest reply to a lone greeting, and of that greeting.
    greeted: (usize, usize),
}

impl StrangerReplies {
    /// Replays a recording unchanged, damaged, truncated, and without its beginning.
    fn by_all(&mut self, recording: &Recording, rng: &mut SeededRng) -> Result<()> {
        let whole = recording.so_far();
        if whole.len() <= HEADER {
            return Ok(());
        }
        let place = |rng: &mut SeededRng, from: usize| from + rng.below((whole.len() - from) as u64) as usize;
        let mut damaged = whole.clone();
        damaged[place(rng, 0)] ^= 1 << rng.below(8);
        let first = HEADER + usize::from(u16::from_be_bytes([whole[3], whole[4]]));
        let first = &whole[..first.min(whole.len())];
        let late = &whole[place(rng, 1)..];
        for bytes in [&whole, &damaged, &whole[..place(rng, 1)], late] {
            self.by(recording.to, bytes)?;
        }
        let answer = self.by(recording.to, first)?;
        self.greeted = self.greeted.max((answer, first.len()));
        Ok(())
    }

    fn by(&mut self, to: SocketAddr, bytes: &[u8]) -> Result<usize> {
        let mut socket = TcpStream::connect_timeout(&to, PATIENCE)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        // The node may close before it has read everything.
        let _ = socket.write_all(bytes);
        let _ = socket.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        self.replays += 1;
        self.sent += bytes.len();
        self.answered += answer.len();
        self.most = self.most.max(answer.len());
        Ok(answer.len())
    }
}

fn refused(rig: &Rig) -> Result<f64> {
    rig.hosts.iter().map(|host| host.metric("sessile_handshakes_refused_total")).sum()
}

fn links_up(rig: &Rig) -> Result<f64> {
    rig.hosts.iter().map(|host: &Host| host.metric("sessile_links_up_total")).sum()
}
