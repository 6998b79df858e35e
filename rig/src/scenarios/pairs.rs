//! Faults that meet: pairs, sampled by the seed.

use std::time::Duration;

use anyhow::Result;
use sessile_history::Dice;

use crate::host::NodeSettings;
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
    play: |context| {
        let mut rig = context.cluster(5, &NodeSettings::default())?;
        let link_faults = rig.emulate(4)?;
        rig.balance(context)?;
        rig.load(context, &["--patience", "8s"])?;
        let mut dice = context.dice();
        let mut told = Vec::new();
        for _ in 0..PAIRS {
            go_on(1);
            let (lasting, sudden) = (dice.below(4), dice.below(3));
            told.push(format!("{}+{}", LASTING[lasting as usize], SUDDEN[sudden as usize]));
            begin(&mut rig, lasting, &link_faults)?;
            strike(&mut rig, sudden, context, &mut dice)?;
            link_faults.delay(0, 0);
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

fn begin(rig: &mut Rig, fault: u64, link_faults: &crate::link_emulator::LinkFaults) -> Result<()> {
    match LASTING[fault as usize] {
        "split" => rig.split(&[&[0, 1], &[2, 3, 4]])?,
        "loss" => {
            rig.report_event("note loss of 10 %")?;
            rig.network.lose(10)?;
        }
        "far" => {
            rig.report_event("note a far node")?;
            link_faults.delay(40, 40);
        }
        _ => {
            rig.report_event("cut")?;
            (2..=5).try_for_each(|other| rig.network.cut_one_way(1, other))?;
        }
    }
    go_on(2);
    Ok(())
}

fn strike(rig: &mut Rig, fault: u64, context: &crate::rig::ScenarioContext, dice: &mut Dice) -> Result<()> {
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
            rig.report_event("note the balancer is killed")?;
            rig.kill_balancer()?;
            go_on(1);
            rig.balance(context)?;
        }
    }
    go_on(2);
    Ok(())
}
