//! Pairs of simultaneous faults, sampled from the seed.

use std::time::Duration;

use anyhow::Result;
use sessile_history::SeededRng;

use crate::host::NodeSettings;
use crate::rig::Rig;
use crate::scenario::Scenario;
use crate::scenarios::{end, go_on};

/// Pairs in one run.
const PAIRS: usize = 4;

pub(crate) const SAMPLED: Scenario = Scenario {
    name: "F51-F53-pairs",
    title: "four pairs of simultaneous faults (kill, pause, split, loss, slow link, dead balancer), sampled from the seed; five nodes",
    bar: "as for each fault alone",
    quick: false,
    play: |context| {
        let mut rig = context.cluster(5, &NodeSettings::default())?;
        let link_faults = rig.emulate(4)?;
        rig.balance(context)?;
        rig.load(context, &["--patience", "8s"])?;
        let mut rng = context.rng();
        let mut told = Vec::new();
        for _ in 0..PAIRS {
            go_on(1);
            let (lasting, sudden) = (rng.below(4), rng.below(3));
            told.push(format!("{}+{}", LASTING[lasting as usize], SUDDEN[sudden as usize]));
            begin(&mut rig, lasting, &link_faults)?;
            strike(&mut rig, sudden, context, &mut rng)?;
            link_faults.delay(0, 0);
            rig.heal()?;
            rig.together()?;
        }
        let mut figures = end(&mut rig)?;
        figures.measure("pairs", told.join(" "));
        Ok(figures)
    },
};

/// Lasting faults.
const LASTING: [&str; 4] = ["split", "loss", "far", "one-way"];
/// Sudden faults during a lasting one.
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

fn strike(
    rig: &mut Rig,
    fault: u64,
    context: &crate::rig::ScenarioContext,
    rng: &mut SeededRng,
) -> Result<()> {
    let node = 1 + rng.below(3) as usize;
    match SUDDEN[fault as usize] {
        "kill" => {
            rig.kill(node)?;
            go_on(2);
            // A node that restarts in a divided network serves only after the heal.
            rig.network.heal()?;
            rig.restart(node, 4)?;
        }
        "pause" => rig.pause(node, Duration::from_millis(500 + rng.below(5_000)))?,
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
