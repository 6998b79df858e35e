//! Unauthenticated peers in the network.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::figures::Figures;
use crate::host::{Host, NodeSettings};
use crate::network::{address, namespace};
use crate::rig::ScenarioContext;
use crate::scenario::Scenario;
use crate::scenarios::{end, go_on};

/// Allowed memory growth of a node during a flood.
const GROWTH: u64 = 64 << 20;

pub(crate) const FLOODED_GROUP: Scenario = Scenario {
    name: "F38-F52-F54-flood",
    title: "another application floods the group with noise and with announcements that it heard, whole and damaged, for 8 s; \
            another cluster uses the same group and port",
    bar: "no member is removed or admitted; dropped datagrams are counted; no node grows by more than 64 MiB",
    quick: false,
    play: flooded_group,
};

fn flooded_group(context: &ScenarioContext) -> Result<Figures> {
    let mut rig = context.cluster_among(5, 3, &NodeSettings::default())?;
    let others = NodeSettings { cluster: "other", ..NodeSettings::default() };
    context.secret(others.cluster)?;
    let mut stranger = Host::new(&context.sessile, context.directory(), 4, "tc01", 1, &others)?;
    stranger.start()?;
    stranger.ready(0)?;
    rig.load(context, &[])?;
    go_on(2);
    let before: u64 = rig.hosts.iter().map(Host::resident).sum::<Result<u64>>()?;
    rig.report_event("note the group is flooded")?;
    let said = flood(5, 8)?;
    let after: u64 = rig.hosts.iter().map(Host::resident).sum::<Result<u64>>()?;
    let removals = rig.removals();
    let dropped: f64 =
        rig.hosts.iter().map(|host| host.metric("sessile_datagrams_dropped_total")).sum::<Result<f64>>()?;
    let apart = stranger.members();
    let mut figures = end(&mut rig)?;
    figures.measure("sent, replayed", said.trim());
    figures.measure("dropped", dropped);
    figures.measure("grown by", format!("{} KiB", after.saturating_sub(before) >> 10));
    figures.require(removals == 0, || format!("{removals} times a member was removed"));
    figures.require(dropped > 0.0, || "no datagram was counted as dropped".to_owned());
    figures.require(apart == Some(0), || format!("the other cluster's node sees {apart:?} others"));
    figures.require(after.saturating_sub(before) <= GROWTH, || "the nodes grew".to_owned());
    Ok(figures)
}

/// Runs this program's flood on another host; returns its output.
fn flood(host: usize, seconds: u64) -> Result<String> {
    let program = std::env::current_exe().context("where is this program?")?;
    let mut flood = Command::new("ip");
    flood.args(["netns", "exec", &namespace(host)]).arg(program).arg("flood");
    flood.args(["--interface", &address(host).to_string(), "--seconds", &seconds.to_string()]);
    let done = flood.stdin(Stdio::null()).output().context("the flood")?;
    match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
        false => bail!("the flood: {}", String::from_utf8_lossy(&done.stderr).trim()),
    }
}
