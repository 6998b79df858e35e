//! Stopped and resumed processes.

use std::time::Duration;

use crate::host::NodeSettings;
use crate::scenario::Scenario;
use crate::scenarios::{end, go_on};

/// Longest allowed wait for a stopped member: the drop time (3 s) plus slack for a busy machine.
const LONGEST_WAIT: Duration = Duration::from_secs(8);

pub(crate) const LONG: Scenario = Scenario {
    name: "F5-pause",
    title: "SIGSTOP of a node for 1 to 10 s (below and above the drop time), then SIGCONT; three times; its clients move to other nodes after a second and ask it again",
    bar: "its late writes overwrite nothing, and it never answers from stale memory",
    quick: true,
    play: |context| {
        let mut rig = context.cluster(3, &NodeSettings::default())?;
        let mut rng = context.rng();
        // Clients do not wait for the stopped node, change their session elsewhere, and ask it again before
        // it resumes.
        rig.load(context, &["--patience", "1s", "--clients", "16"])?;
        go_on(2);
        for time in [1_000 + rng.below(1_500), 4_000, 5_000 + rng.below(5_000)] {
            rig.pause(rng.below(3) as usize, Duration::from_millis(time))?;
            rig.together()?;
        }
        end(&mut rig)
    },
};

pub(crate) const COPY: Scenario = Scenario {
    name: "F6-stopped-copy",
    title: "SIGSTOP of one node for 12 s, four times the drop time",
    bar: "clients wait at most about the drop time (3 s), once; then requests continue with degraded receipts",
    quick: false,
    play: |context| {
        let mut rig = context.cluster(3, &NodeSettings::default())?;
        rig.load(context, &[])?;
        go_on(2);
        rig.pause(2, Duration::from_secs(12))?;
        let mut figures = end(&mut rig)?;
        let waited = figures.longest_wait();
        figures.require(waited < LONGEST_WAIT, || format!("a client of a node that ran waited {waited:?}"));
        Ok(figures)
    },
};

pub(crate) const SHORT: Scenario = Scenario {
    name: "F7-short-pauses",
    title: "pauses of 200 to 800 ms every 2 s, of varying nodes",
    bar: "no member is ever removed",
    quick: false,
    play: |context| {
        let mut rig = context.cluster(3, &NodeSettings::default())?;
        let mut rng = context.rng();
        rig.load(context, &[])?;
        for _ in 0..7 {
            rig.pause(rng.below(3) as usize, Duration::from_millis(200 + rng.below(600)))?;
            std::thread::sleep(Duration::from_millis(1_400));
        }
        let mut figures = end(&mut rig)?;
        let removals = rig.removals();
        figures.measure("removals", removals);
        figures.require(removals == 0, || format!("{removals} times a member was removed"));
        Ok(figures)
    },
};
