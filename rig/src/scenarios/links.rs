//! Lossy, slow, damaging, stalled and broken links.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::figures::Figures;
use crate::host::NodeSettings;
use crate::link_emulator::LinkFaults;
use crate::rig::{Rig, ScenarioContext};
use crate::scenario::Scenario;
use crate::scenarios::{end, go_on};

/// Allowed memory growth of a node while another does not read.
const GROWTH: u64 = 96 << 20;
/// Longest time until nodes with deaf connections agree again.
const TOGETHER: Duration = Duration::from_secs(30);

pub(crate) const LOSS: Scenario = Scenario {
    name: "F13-loss",
    title: "1, 5 and 30 % packet loss between nodes, heartbeats included; 5 s each",
    bar: "equal state on every node; below 30 % no member is removed",
    quick: false,
    play: |context| {
        let mut rig = context.cluster(3, &NodeSettings::default())?;
        rig.load(context, &[])?;
        let mut removals = 0;
        for percent in [1, 5, 30] {
            rig.report_event(&format!("note loss of {percent} %"))?;
            if percent == 30 {
                // At this loss no echo may arrive for the drop time in either direction: a split like any
                // other.
                removals = rig.removals();
                rig.report_event("cut")?;
            }
            rig.network.lose(percent)?;
            go_on(5);
            rig.network.heal()?;
        }
        rig.heal()?;
        let mut figures = end(&mut rig)?;
        figures.measure("removals", format!("{removals}, at 30 % {}", rig.removals() - removals));
        figures.require(removals == 0, || format!("{removals} times a member was removed at 5 %"));
        Ok(figures)
    },
};

pub(crate) const NARROW: Scenario = Scenario {
    name: "F16-narrow",
    title: "one node's link is limited to 1 Mbit/s for 10 s",
    bar: "no node grows by more than 96 MiB; no member is removed",
    quick: false,
    play: |context| {
        let mut rig = context.cluster(3, &NodeSettings::default())?;
        rig.load(context, &[])?;
        go_on(2);
        let before = memory(&rig)?;
        rig.report_event("note a narrow link")?;
        rig.network.narrow(3, "1mbit")?;
        go_on(10);
        let grown = growth(&rig, &before)?;
        rig.network.widen(3)?;
        let mut figures = end(&mut rig)?;
        bounded(&mut figures, grown);
        let removals = rig.removals();
        figures.require(removals == 0, || format!("{removals} times a member was removed"));
        Ok(figures)
    },
};

pub(crate) const FAR: Scenario = Scenario {
    name: "F17-far",
    title: "50 to 70 ms delay to and from one node, for 10 s",
    bar: "no member is removed",
    quick: false,
    play: |context| {
        let (mut rig, link_faults) = loaded_behind_emulator(context, &[])?;
        rig.report_event("note a far node")?;
        link_faults.delay(50, 20);
        go_on(10);
        link_faults.delay(0, 0);
        let mut figures = end(&mut rig)?;
        let removals = rig.removals();
        figures.require(removals <= 2, || format!("{removals} times a member was removed, 2 by its restart"));
        Ok(figures)
    },
};

pub(crate) const FLIPPED_BITS: Scenario = Scenario {
    name: "F18-bits",
    title: "one of 300 chunks to and from a node has a flipped bit, for 8 s",
    bar: "no damaged byte is accepted; damaged links are closed and reconnect",
    quick: true,
    play: |context| {
        let (mut rig, link_faults) = loaded_behind_emulator(context, &[])?;
        rig.report_event("note flipped bits")?;
        link_faults.damage(300);
        go_on(8);
        link_faults.damage(0);
        let mut figures = end(&mut rig)?;
        let lost: f64 =
            rig.hosts.iter().map(|host| host.metric("sessile_links_lost_total")).sum::<Result<f64>>()?;
        figures.measure("damaged chunks", link_faults.damaged());
        figures.measure("links lost", lost);
        figures.require(link_faults.damaged() > 0, || "nothing was damaged".to_owned());
        figures.require(lost > 0.0, || "no link was closed".to_owned());
        Ok(figures)
    },
};

pub(crate) const HALF_OPEN: Scenario = Scenario {
    name: "F19-F20-stall",
    title: "all connections of a node stay open and stalled for three times the drop time; then they are half-closed",
    bar: "the failure is detected; no node grows by more than 96 MiB",
    quick: false,
    play: half_open,
};

fn half_open(context: &ScenarioContext) -> Result<Figures> {
    let (mut rig, link_faults) = loaded_behind_emulator(context, &["--patience", "8s"])?;
    let before = memory(&rig)?;
    rig.report_event("cut tc01,tc02 tc03")?;
    link_faults.stall(true);
    go_on(9);
    let (seen, grown) = (rig.hosts[0].members(), growth(&rig, &before)?);
    link_faults.stall(false);
    link_faults.half_close(true);
    go_on(2);
    link_faults.half_close(false);
    rig.report_event("healed")?;
    let mut figures = end(&mut rig)?;
    figures.require(seen == Some(1), || format!("after three drop times tc01 saw {seen:?} others"));
    bounded(&mut figures, grown);
    Ok(figures)
}

pub(crate) const DEAF: Scenario = Scenario {
    name: "F19-deaf",
    title: "data on all connections of a node vanishes although they stay open; new connections work",
    bar: "the failure is detected and the node reconnects: all nodes agree within 30 s",
    quick: false,
    play: |context| {
        let (mut rig, link_faults) = loaded_behind_emulator(context, &["--patience", "8s"])?;
        rig.report_event("cut tc01,tc02 tc03")?;
        link_faults.deafen();
        let began = Instant::now();
        while rig.hosts[0].members() == Some(2) && began.elapsed() < TOGETHER {
            std::thread::sleep(Duration::from_millis(50));
        }
        let noticed = began.elapsed();
        rig.together()?;
        let took = began.elapsed();
        rig.report_event("healed")?;
        let mut figures = end(&mut rig)?;
        figures.measure("noticed after", format!("{} ms", noticed.as_millis()));
        figures.measure("new ones after", format!("{} ms", took.as_millis()));
        figures.require(took <= TOGETHER, || format!("it took {took:?}"));
        Ok(figures)
    },
};

pub(crate) const RESETS: Scenario = Scenario {
    name: "F21-resets",
    title: "every connection of a node is reset, every 700 ms for 6 s, then ten times a second for 6 s",
    bar: "the first phase has no effect, the second is a split like any other; memory is bounded",
    quick: false,
    play: |context| {
        let (mut rig, link_faults) = loaded_behind_emulator(context, &[])?;
        let before = memory(&rig)?;
        rig.report_event("note resets")?;
        for _ in 0..9 {
            link_faults.reset();
            std::thread::sleep(Duration::from_millis(700));
        }
        // No connection lives long enough for an echo.
        rig.report_event("cut tc01,tc02 tc03")?;
        for _ in 0..60 {
            link_faults.reset();
            std::thread::sleep(Duration::from_millis(100));
        }
        rig.report_event("healed")?;
        let grown = growth(&rig, &before)?;
        let mut figures = end(&mut rig)?;
        bounded(&mut figures, grown);
        Ok(figures)
    },
};

/// Three nodes under load. The third was restarted, so that all its links go through emulators.
fn loaded_behind_emulator(context: &ScenarioContext, keys: &[&str]) -> Result<(Rig, LinkFaults)> {
    const NODE: usize = 2;
    let mut rig = context.cluster(3, &NodeSettings::default())?;
    let link_faults = rig.emulate(NODE)?;
    rig.kill(NODE)?;
    rig.restart(NODE, rig.hosts.len() - 1)?;
    rig.together()?;
    rig.load(context, keys)?;
    go_on(2);
    Ok((rig, link_faults))
}

fn memory(rig: &Rig) -> Result<Vec<u64>> {
    rig.hosts.iter().map(|host| host.resident()).collect()
}

/// Largest memory growth of a node.
fn growth(rig: &Rig, before: &[u64]) -> Result<u64> {
    let now = memory(rig)?;
    Ok(now.iter().zip(before).map(|(now, before)| now.saturating_sub(*before)).max().unwrap_or(0))
}

fn bounded(figures: &mut Figures, grown: u64) {
    figures.measure("grown by", format!("{} KiB", grown >> 10));
    figures.require(grown <= GROWTH, || format!("a node grew by {} MiB", grown >> 20));
}
