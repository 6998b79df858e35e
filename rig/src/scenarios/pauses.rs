//! Processes that are stopped, and go on.

use std::time::Duration;

use crate::host::NodeSettings;
use crate::scenario::Scenario;
use crate::scenarios::{end, go_on};

/// The foreground may wait for a stopped member as long as the drop time, which is 3 s here; the rest is for a busy machine.
const LONGEST_WAIT: Duration = Duration::from_secs(8);

pub(crate) const LONG: Scenario = Scenario {
    name: "F5-pause",
    title: "SIGSTOP of a node for 1 to 10 s, longer and shorter than the drop time, then SIGCONT; three times; its clients go on elsewhere after a second and ask it again",
    bar: "its late writes undo nothing, and it never answers from old memory",
    quick: true,
    play: |context| {
        let mut rig = context.cluster(3, &NodeSettings::default())?;
        let mut dice = context.dice();
        // They do not wait for the stopped node, change their session elsewhere, and ask it again before it goes on.
        rig.load(context, &["--patience", "1s", "--clients", "16"])?;
        go_on(2);
        for time in [1_000 + dice.below(1_500), 4_000, 5_000 + dice.below(5_000)] {
            rig.pause(dice.below(3) as usize, Duration::from_millis(time))?;
            rig.together()?;
        }
        end(&mut rig)
    },
};

pub(crate) const COPY: Scenario = Scenario {
    name: "F6-stopped-copy",
    title: "SIGSTOP of one node for 12 s, four times the drop time",
    bar: "clients wait at most about the drop time (3 s), once; then it goes on with degraded receipts",
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
    title: "pauses of 200 to 800 ms every 2 s, now this node, now that",
    bar: "no member is ever removed",
    quick: false,
    play: |context| {
        let mut rig = context.cluster(3, &NodeSettings::default())?;
        let mut dice = context.dice();
        rig.load(context, &[])?;
        for _ in 0..7 {
            rig.pause(dice.below(3) as usize, Duration::from_millis(200 + dice.below(600)))?;
            std::thread::sleep(Duration::from_millis(1_400));
        }
        let mut figures = end(&mut rig)?;
        let removals = rig.removals();
        figures.measure("removals", removals);
        figures.require(removals == 0, || format!("{removals} times a member was removed"));
        Ok(figures)
    },
};
