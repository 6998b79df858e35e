//! Network partitions.

use std::time::Duration;

use anyhow::Result;

use crate::figures::Figures;
use crate::host::NodeSettings;
use crate::rig::{Rig, ScenarioContext};
use crate::scenario::Scenario;
use crate::scenarios::{end, go_on};

pub(crate) const SPLIT: Scenario = Scenario {
    name: "F8-split",
    title: "one node is cut off from two, for three times the drop time; clients reach all of them",
    bar: "each side keeps serving; after the heal all copies are equal and no ended session comes back",
    quick: true,
    play: |context| {
        let mut rig = under_load(context, 3)?;
        rig.split(&[&[0], &[1, 2]])?;
        go_on(9);
        rig.heal()?;
        end(&mut rig)
    },
};

pub(crate) const ONE_WAY: Scenario = Scenario {
    name: "F9-one-way",
    title: "traffic from one node to the others is blocked; traffic to it passes",
    bar: "no node is permanently a member on one side only",
    quick: false,
    play: |context| {
        let mut rig = under_load(context, 3)?;
        rig.report_event("cut")?;
        rig.network.cut_one_way(1, 2)?;
        rig.network.cut_one_way(1, 3)?;
        go_on(9);
        // By now an unheard node is removed on both sides.
        let seen: Vec<_> = rig.hosts.iter().map(|host| host.members()).collect();
        rig.heal()?;
        let mut figures = end(&mut rig)?;
        let one_sided = seen[0] == Some(2) || seen[1] == Some(2) || seen[2] == Some(2);
        figures.require(!one_sided, || format!("after three drop times the nodes saw {seen:?} others"));
        Ok(figures)
    },
};

pub(crate) const PARTIAL: Scenario = Scenario {
    name: "F10-partial",
    title: "two nodes cannot reach each other; the third reaches both",
    bar: "the cluster splits into disjoint sides and merges after the heal",
    quick: false,
    play: |context| {
        let mut rig = under_load(context, 3)?;
        rig.report_event("cut")?;
        rig.network.cut(1, 2)?;
        go_on(9);
        rig.heal()?;
        end(&mut rig)
    },
};

pub(crate) const FLAPPING: Scenario = Scenario {
    name: "F11-flapping",
    title: "a link between two nodes is cut for 300 ms, ten times",
    bar: "missed changes are sent, not the whole state each time",
    quick: false,
    play: flapping,
};

fn flapping(context: &ScenarioContext) -> Result<Figures> {
    let mut rig = under_load(context, 3)?;
    rig.report_event("cut")?;
    for _ in 0..10 {
        rig.network.cut(1, 2)?;
        std::thread::sleep(Duration::from_millis(300));
        rig.network.heal()?;
        std::thread::sleep(Duration::from_millis(700));
    }
    rig.heal()?;
    let mut figures = end(&mut rig)?;
    let transfers: f64 =
        rig.hosts.iter().map(|host| host.metric("sessile_transfers_received_total")).sum::<Result<f64>>()?;
    figures.measure("removals", rig.removals());
    figures.measure("transfers", transfers);
    // Each of the two joiners received one state transfer at its start.
    figures.require(transfers <= 3.0, || format!("{transfers} whole transfers"));
    Ok(figures)
}

pub(crate) const LONG_DIVERGENCE: Scenario = Scenario {
    name: "F12-divergence",
    title: "four nodes in two halves for 20 s; sessions are created, changed and ended on both sides",
    bar: "no ended session comes back; writes of both sides survive",
    quick: false,
    play: |context| {
        let mut rig = under_load(context, 4)?;
        rig.split(&[&[0, 1], &[2, 3]])?;
        go_on(20);
        rig.heal()?;
        end(&mut rig)
    },
};

fn under_load(context: &ScenarioContext, nodes: usize) -> Result<Rig> {
    let mut rig = context.cluster(nodes, &NodeSettings::default())?;
    rig.load(context, &["--patience", "8s"])?;
    go_on(2);
    Ok(rig)
}
