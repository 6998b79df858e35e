//! R1: the latency that one synchronous copy adds to a request, in round trips of this machine.

use std::time::Duration;

use super::RatiosRun;
use crate::bench::client_pool::{ClientPool, SessionContent};
use crate::bench::cluster::{Nodes, Replication};
use crate::bench::floor::Floor;
use crate::bench::grade::Bars;
use crate::bench::latency::median;
use crate::bench::usage::{Watch, pin};
use crate::failure::Failure;

/// Time for each of the three subjects in a round.
const TIME: Duration = Duration::from_millis(500);
const QUICK: Duration = Duration::from_millis(100);
/// The core that all processes share: waking a sleeping core costs more than the measured effect.
const CORE: usize = 0;
const CONTENT: SessionContent = SessionContent { attributes: 100, size: 1_024 };

/// The measured medians, in microseconds.
#[derive(Debug, Clone, Copy)]
struct Medians {
    floor: f64,
    off: f64,
    on: f64,
}

impl Medians {
    fn ratio(self) -> f64 {
        (self.on - self.off) / self.floor
    }
}

/// The three subjects, one connection each.
struct Subjects {
    floor: Floor,
    off: (Nodes, ClientPool),
    on: (Nodes, ClientPool),
}

pub(super) async fn measure(run: &mut RatiosRun) -> Result<(), Failure> {
    let off = Nodes::start(1, &Replication::new("pipelined", "local")).await?;
    let on = Nodes::start(2, &Replication::new("pipelined", "delta")).await?;
    let pools = (
        ClientPool::connect(off.http(0), 1, CONTENT).await?,
        ClientPool::connect(on.http(0), 1, CONTENT).await?,
    );
    let mut subjects = Subjects { floor: Floor::ping_pong()?, off: (off, pools.0), on: (on, pools.1) };
    let processes = subjects.processes();
    let pinned = pin(&processes, Some(CORE));
    let alone = if pinned { subjects.rounds(run).await } else { Ok(None) };
    pin(&processes, None);
    let free = subjects.rounds(run).await;
    subjects.off.0.stop().await;
    subjects.on.0.stop().await;
    let (alone, free) = (alone?, free?);
    let bars = Bars::at_most(2.0, 1.5);
    run.ratio("R1 latency, all on one core", alone.map(Medians::ratio), bars);
    for (place, medians) in [("one core", alone), ("any core", free)] {
        run.figure(&format!("p50 of a ping-pong, {place}, us"), medians.map(|medians| medians.floor));
        run.figure(&format!("p50 with replication off, {place}, us"), medians.map(|medians| medians.off));
        run.figure(&format!("p50 with one copy, {place}, us"), medians.map(|medians| medians.on));
    }
    run.figure("R1 without pinning, says little", free.map(Medians::ratio));
    Ok(())
}

impl Subjects {
    /// The nodes, the floor's peer process, and this process.
    fn processes(&self) -> Vec<u32> {
        let nodes = [&self.off.0, &self.on.0].into_iter().flat_map(Nodes::ids);
        nodes.chain([self.floor.peer(), std::process::id()]).collect()
    }

    /// Medians over the rounds; `None` if no round was completed.
    async fn rounds(&mut self, run: &mut RatiosRun) -> Result<Option<Medians>, Failure> {
        let time = if run.settings.quick() { QUICK } else { TIME };
        let (mut floor, mut off, mut on) = (Vec::new(), Vec::new(), Vec::new());
        let mut tries = 0;
        while floor.len() < run.rounds as usize && !run.interrupt.is_requested() {
            let watched =
                self.processes().into_iter().filter(|process| *process != std::process::id()).collect();
            let watch = Watch::start(watched);
            let bounced = self.floor.bounce(time)?;
            let without = self.off.1.drive(None, &run.interrupt.after(time)).await;
            let with = self.on.1.drive(None, &run.interrupt.after(time)).await;
            let usage = watch.stop();
            tries += 1;
            if run.settings.again(&usage, tries)? {
                continue;
            }
            tries = 0;
            run.found.circumstances.note(&usage);
            floor.push(bounced.percentiles().p50_us);
            off.push(without.latency.percentiles().p50_us);
            on.push(with.latency.percentiles().p50_us);
        }
        let medians = median(&floor).zip(median(&off)).zip(median(&on));
        Ok(medians.map(|((floor, off), on)| Medians { floor, off, on }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_counts_what_replication_adds() {
        assert_eq!(Medians { floor: 15.0, off: 18.0, on: 39.0 }.ratio(), 1.4);
    }
}
