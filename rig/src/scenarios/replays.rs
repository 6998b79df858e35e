//! Somebody who heard what nodes said to each other, and says it again.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Result, bail};
use sessile_history::Dice;

use crate::figures::Figures;
use crate::host::{Host, NodeSettings};
use crate::link_emulator::Recording;
use crate::rig::{Rig, ScenarioContext};
use crate::scenario::Scenario;
use crate::scenarios::{end, go_on};

/// How often each recording is replayed in each way.
const TIMES: usize = 6;
/// Longest wait for an answer, and for the end of a connection.
const PATIENCE: Duration = Duration::from_secs(2);
/// A node says no more than this to a stranger, whatever that one says: its half of a TLS handshake.
const ANSWER: usize = 2 * 1024;
/// The first record of TLS: a byte of kind, two of version, two of length.
const HEADER: usize = 5;

pub(crate) const CONNECTIONS: Scenario = Scenario {
    name: "F39-F40-replay",
    title: "what nodes sent on their connections is sent again on new ones, as it was, damaged, cut off, and without its beginning, under load",
    bar: "nobody is removed or admitted, every one is counted as refused, and no stranger is told more than 2 KiB",
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
    let mut dice = context.dice();
    for _ in 0..TIMES {
        recordings.iter().try_for_each(|recording| replies.by_all(recording, &mut dice))?;
    }
    let (refused, removals, up) =
        (self::refused(&rig)? - refused, rig.removals() - removals, links_up(&rig)? - up);
    let mut figures = end(&mut rig)?;
    figures.measure("recordings", recordings.len());
    figures.measure("replays", replies.replays);
    figures.measure("refused", refused);
    figures.measure("most told", format!("{} B", replies.most));
    figures.measure("for a greeting", format!("{} B of {} B", replies.greeted.0, replies.greeted.1));
    figures
        .measure("told in all", format!("{} KiB after {} KiB", replies.answered >> 10, replies.sent >> 10));
    figures.require(removals == 0 && up == 0.0, || format!("{removals} removals, {up} new links"));
    figures.require(refused >= replies.replays as f64, || format!("only {refused} were counted"));
    figures.require(replies.most <= ANSWER, || format!("a stranger was told {} B", replies.most));
    Ok(figures)
}

/// What strangers were replies.
#[derive(Debug, Default)]
struct StrangerReplies {
    replays: usize,
    sent: usize,
    answered: usize,
    /// The longest answer.
    most: usize,
    /// The longest to nothing but a greeting, and that greeting.
    greeted: (usize, usize),
}

impl StrangerReplies {
    /// A recording as it was, damaged, cut off, and without its beginning.
    fn by_all(&mut self, recording: &Recording, dice: &mut Dice) -> Result<()> {
        let whole = recording.so_far();
        if whole.len() <= HEADER {
            return Ok(());
        }
        let place = |dice: &mut Dice, from: usize| from + dice.below((whole.len() - from) as u64) as usize;
        let mut damaged = whole.clone();
        damaged[place(dice, 0)] ^= 1 << dice.below(8);
        let first = HEADER + usize::from(u16::from_be_bytes([whole[3], whole[4]]));
        let first = &whole[..first.min(whole.len())];
        let late = &whole[place(dice, 1)..];
        for bytes in [&whole, &damaged, &whole[..place(dice, 1)], late] {
            self.by(recording.to, bytes)?;
        }
        let answer = self.by(recording.to, first)?;
        self.greeted = self.greeted.max((answer, first.len()));
        Ok(())
    }

    fn by(&mut self, to: SocketAddr, bytes: &[u8]) -> Result<usize> {
        let mut socket = TcpStream::connect_timeout(&to, PATIENCE)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        // The node may close before it has read all of it.
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
