//! Faults that meet: pairs, sampled by the seed.

use std::time::Duration;

use anyhow::Result;
use sessile_history::Dice;

use crate::host::Settings;
use crate::rig::Rig;
use crate::scenario::Scenario;
use crate::scenarios::{end, go_on};

/// Pairs in one run.
const PAIRS: usize = 4;

pub(crate) const SAMPLED: Scenario = Scenario {
    name: "F51-F53-pairs",
    title: "four pairs of kill, pause, split, loss, far link and dead balancer at once, as the seed samples them; five nodes",
    bar: "as for each alone",
    quick: false,
    play: |ground| {
        let mut rig = ground.cluster(5, &Settings::default())?;
        let weather = rig.emulate(4)?;
        rig.balance(ground)?;
        rig.load(ground, &["--patience", "8s"])?;
        let mut dice = ground.dice();
        let mut told = Vec::new();
        for _ in 0..PAIRS {
            go_on(1);
            let (lasting, sudden) = (dice.below(4), dice.below(3));
            told.push(format!("{}+{}", LASTING[lasting as usize], SUDDEN[sudden as usize]));
            begin(&mut rig, lasting, &weather)?;
            strike(&mut rig, sudden, ground, &mut dice)?;
            weather.delay(0, 0);
            rig.heal()?;
            rig.together()?;
        }
        let mut figures = end(&mut rig)?;
        figures.measure("pairs", told.join(" "));
        Ok(figures)
    },
};

/// What goes on meanwhile.
const LASTING: [&str; 4] = ["split", "loss", "far", "one-way"];
/// What happens then.
const SUDDEN: [&str; 3] = ["kill", "pause", "balancer"];

fn begin(rig: &mut Rig, fault: u64, weather: &crate::emulator::Weather) -> Result<()> {
    match LASTING[fault as usize] {
        "split" => rig.split(&[&[0, 1], &[2, 3, 4]])?,
        "loss" => {
            rig.tell("note loss of 10 %")?;
            rig.network.lose(10)?;
        }
        "far" => {
            rig.tell("note a far node")?;
            weather.delay(40, 40);
        }
        _ => {
            rig.tell("cut")?;
            (2..=5).try_for_each(|other| rig.network.cut_one_way(1, other))?;
        }
    }
    go_on(2);
    Ok(())
}

fn strike(rig: &mut Rig, fault: u64, ground: &crate::rig::Ground, dice: &mut Dice) -> Result<()> {
    let node = 1 + dice.below(3) as usize;
    match SUDDEN[fault as usize] {
        "kill" => {
            rig.kill(node)?;
            go_on(2);
            // It may come back into a divided network: it serves when it is whole again.
            rig.network.heal()?;
            rig.restart(node, 4)?;
        }
        "pause" => rig.pause(node, Duration::from_millis(500 + dice.below(5_000)))?,
        _ => {
            rig.tell("note the balancer is killed")?;
            rig.kill_balancer()?;
            go_on(1);
            rig.balance(ground)?;
        }
    }
    go_on(2);
    Ok(())
}
