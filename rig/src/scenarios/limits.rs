//! Hosts with too few resources.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::control_group::ControlGroup;
use crate::figures::Figures;
use crate::host::NodeSettings;
use crate::rig::ScenarioContext;
use crate::scenario::Scenario;
use crate::scenarios::{end, go_on};

pub(crate) const DESCRIPTORS: Scenario = Scenario {
    name: "F27-descriptors",
    title: "nodes with a limit of 96 descriptors, and 300 idle connections to one node for 6 s",
    bar: "its accept loops survive: the node serves again after the connections are gone",
    quick: false,
    play: descriptors,
};

fn descriptors(context: &ScenarioContext) -> Result<Figures> {
    let settings = NodeSettings { descriptors: Some(96), ..NodeSettings::default() };
    let mut rig = context.cluster(3, &settings)?;
    rig.load(context, &["--patience", "8s"])?;
    go_on(2);
    rig.report_event("cut tc01,tc02 tc03")?;
    let at = SocketAddr::from((rig.hosts[2].address(), 9080));
    let idle: Vec<_> =
        (0..300).map_while(|_| TcpStream::connect_timeout(&at, Duration::from_secs(1)).ok()).collect();
    go_on(6);
    let opened = idle.len();
    drop(idle);
    rig.report_event("healed")?;
    let mut figures = end(&mut rig)?;
    figures.measure("idle connections", opened);
    figures.require(opened > 96, || format!("only {opened} connections could be opened"));
    Ok(figures)
}

pub(crate) const LITTLE_CPU: Scenario = Scenario {
    name: "F29-little-cpu",
    title: "one node has 5 % of a processor for 10 s",
    bar: "no data is corrupt; the node is a member again after the limit is lifted",
    quick: false,
    play: |context| {
        let mut rig = context.cluster(3, &NodeSettings::default())?;
        rig.load(context, &["--patience", "8s"])?;
        go_on(2);
        rig.report_event("note little cpu")?;
        let bound = ControlGroup::processor(rig.hosts[2].pid().context("the node lives")?, 5)?;
        go_on(10);
        let (throttled, removed) = (bound.throttled()?, rig.removals());
        drop(bound);
        let mut figures = end(&mut rig)?;
        figures.measure("throttled", throttled);
        figures.measure("removals", removed);
        figures.require(throttled > 0, || "it was never throttled".to_owned());
        Ok(figures)
    },
};
