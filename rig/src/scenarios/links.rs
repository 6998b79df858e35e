//! Links that lose, lag, damage, stall and break.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::emulator::Weather;
use crate::figures::Figures;
use crate::host::Settings;
use crate::rig::{Ground, Rig};
use crate::scenario::Scenario;
use crate::scenarios::{end, go_on};

/// What a node may grow by while another does not read.
const GROWTH: u64 = 96 << 20;
/// The longest until nodes whose connections went deaf are together again.
const TOGETHER: Duration = Duration::from_secs(30);

pub(crate) const LOSS: Scenario = Scenario {
    name: "F13-loss",
    title: "1, 5 and 30 % of what nodes send each other is lost, heartbeats included; 5 s each",
    bar: "the same state on every node; below 30 % nobody is removed",
    quick: false,
    play: |ground| {
        let mut rig = ground.cluster(3, &Settings::default())?;
        rig.load(ground, &[])?;
        let mut removals = 0;
        for percent in [1, 5, 30] {
            rig.tell(&format!("note loss of {percent} %"))?;
            if percent == 30 {
                // So much that no echo may come for the drop time, in either direction: a split like any other.
                removals = rig.removals();
                rig.tell("cut")?;
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
    title: "one node's link takes 1 Mbit/s for 10 s",
    bar: "no node grows by more than 96 MiB; nobody is removed",
    quick: false,
    play: |ground| {
        let mut rig = ground.cluster(3, &Settings::default())?;
        rig.load(ground, &[])?;
        go_on(2);
        let before = memory(&rig)?;
        rig.tell("note a narrow link")?;
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
    title: "50 ms and up to 20 ms more to and from one node, for 10 s",
    bar: "nobody is removed",
    quick: false,
    play: |ground| {
        let (mut rig, weather) = loaded_behind_emulator(ground, &[])?;
        rig.tell("note a far node")?;
        weather.delay(50, 20);
        go_on(10);
        weather.delay(0, 0);
        let mut figures = end(&mut rig)?;
        let removals = rig.removals();
        figures.require(removals <= 2, || format!("{removals} times a member was removed, 2 by its restart"));
        Ok(figures)
    },
};

pub(crate) const FLIPPED_BITS: Scenario = Scenario {
    name: "F18-bits",
    title: "one of 300 chunks to and from a node has a flipped bit, for 8 s",
    bar: "no damaged byte is ever believed; links that carried one are closed and come back",
    quick: true,
    play: |ground| {
        let (mut rig, weather) = loaded_behind_emulator(ground, &[])?;
        rig.tell("note flipped bits")?;
        weather.damage(300);
        go_on(8);
        weather.damage(0);
        let mut figures = end(&mut rig)?;
        let lost: f64 =
            rig.hosts.iter().map(|host| host.metric("sessile_links_lost_total")).sum::<Result<f64>>()?;
        figures.measure("damaged chunks", weather.damaged());
        figures.measure("links lost", lost);
        figures.require(weather.damaged() > 0, || "nothing was damaged".to_owned());
        figures.require(lost > 0.0, || "no link was closed".to_owned());
        Ok(figures)
    },
};

pub(crate) const HALF_OPEN: Scenario = Scenario {
    name: "F19-F20-stall",
    title: "all connections of a node stay open and take nothing, for three times the drop time; then they are closed on one side",
    bar: "it is found out; no node grows by more than 96 MiB",
    quick: false,
    play: half_open,
};

fn half_open(ground: &Ground) -> Result<Figures> {
    let (mut rig, weather) = loaded_behind_emulator(ground, &["--patience", "8s"])?;
    let before = memory(&rig)?;
    rig.tell("cut tc01,tc02 tc03")?;
    weather.stall(true);
    go_on(9);
    let (seen, grown) = (rig.hosts[0].members(), growth(&rig, &before)?);
    weather.stall(false);
    weather.half_close(true);
    go_on(2);
    weather.half_close(false);
    rig.tell("healed")?;
    let mut figures = end(&mut rig)?;
    figures.require(seen == Some(1), || format!("after three drop times tc01 saw {seen:?} others"));
    bounded(&mut figures, grown);
    Ok(figures)
}

pub(crate) const DEAF: Scenario = Scenario {
    name: "F19-deaf",
    title: "what is sent on all connections of a node vanishes, though they stay open for ever; new ones would do",
    bar: "it is found out, and new ones are made: all are together again within 30 s",
    quick: false,
    play: |ground| {
        let (mut rig, weather) = loaded_behind_emulator(ground, &["--patience", "8s"])?;
        rig.tell("cut tc01,tc02 tc03")?;
        weather.deafen();
        let began = Instant::now();
        while rig.hosts[0].members() == Some(2) && began.elapsed() < TOGETHER {
            std::thread::sleep(Duration::from_millis(50));
        }
        let noticed = began.elapsed();
        rig.together()?;
        let took = began.elapsed();
        rig.tell("healed")?;
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
    bar: "the first costs nothing, the second is a split like any other; memory is bounded",
    quick: false,
    play: |ground| {
        let (mut rig, weather) = loaded_behind_emulator(ground, &[])?;
        let before = memory(&rig)?;
        rig.tell("note resets")?;
        for _ in 0..9 {
            weather.reset();
            std::thread::sleep(Duration::from_millis(700));
        }
        // No connection lives long enough to carry an echo.
        rig.tell("cut tc01,tc02 tc03")?;
        for _ in 0..60 {
            weather.reset();
            std::thread::sleep(Duration::from_millis(100));
        }
        rig.tell("healed")?;
        let grown = growth(&rig, &before)?;
        let mut figures = end(&mut rig)?;
        bounded(&mut figures, grown);
        Ok(figures)
    },
};

/// Three nodes under load. The third was started again, so that all its links go through emulators.
fn loaded_behind_emulator(ground: &Ground, keys: &[&str]) -> Result<(Rig, Weather)> {
    const NODE: usize = 2;
    let mut rig = ground.cluster(3, &Settings::default())?;
    let weather = rig.emulate(NODE)?;
    rig.kill(NODE)?;
    rig.restart(NODE, rig.hosts.len() - 1)?;
    rig.together()?;
    rig.load(ground, keys)?;
    go_on(2);
    Ok((rig, weather))
}

fn memory(rig: &Rig) -> Result<Vec<u64>> {
    rig.hosts.iter().map(|host| host.resident()).collect()
}

/// The most that a node grew by.
fn growth(rig: &Rig, before: &[u64]) -> Result<u64> {
    let now = memory(rig)?;
    Ok(now.iter().zip(before).map(|(now, before)| now.saturating_sub(*before)).max().unwrap_or(0))
}

fn bounded(figures: &mut Figures, grown: u64) {
    figures.measure("grown by", format!("{} KiB", grown >> 10));
    figures.require(grown <= GROWTH, || format!("a node grew by {} MiB", grown >> 20));
}
