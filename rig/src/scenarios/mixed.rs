//! The current version and the planted next version in one cluster.

use std::net::SocketAddrV4;

use anyhow::Result;

use crate::commit_counts::CommitCounts;
use crate::figures::Figures;
use crate::host::NodeSettings;
use crate::rig::{Rig, ScenarioContext};
use crate::scenario::Scenario;
use crate::scenarios::{end, go_on};

/// A node of the next version.
const NEXT: [&str; 1] = ["--next"];

pub(crate) const MIXED: Scenario = Scenario {
    name: "F33-mixed",
    title: "three nodes are upgraded to a planted next version and back, one after the other, under load through a balancer; \
            nodes of both versions are killed and join, each where only the other one is left",
    bar: "fields of the next version are read back unchanged after every path through current nodes",
    quick: false,
    play: mixed,
};

fn mixed(context: &ScenarioContext) -> Result<Figures> {
    let mut rig = context.cluster(3, &NodeSettings::default())?;
    rig.balance(context)?;
    rig.load(context, &[])?;
    go_on(1);
    exchange(&mut rig, 0, &NEXT)?;
    let counts = CommitCounts::open(at(&rig, 0))?;
    let mut versions = MixedVersions { counts, checked: 0, wrong: Vec::new(), skipped: 0.0 };
    versions.counts.write(at(&rig, 1), false)?;
    versions.counts.write(at(&rig, 0), true)?;
    versions.next_comes_to_old(&mut rig)?;
    versions.old_comes_to_next(&mut rig)?;
    versions.all_go_back(&mut rig, &context.planted)?;
    let mut figures = end(&mut rig)?;
    versions.report(&mut figures);
    Ok(figures)
}

/// State of a mixed run.
struct MixedVersions {
    counts: CommitCounts,
    checked: usize,
    wrong: Vec<String>,
    /// Frames unknown to nodes of the current version.
    skipped: f64,
}

impl MixedVersions {
    /// The only node of the next version dies; it gets its data back from nodes of the current version.
    fn next_comes_to_old(&mut self, rig: &mut Rig) -> Result<()> {
        rig.kill(0)?;
        rig.hosts[1].ready(1)?;
        self.counts.write(at(rig, 1), false)?;
        rig.restart(0, 2)?;
        self.check(rig, 0)?;
        self.skipped += skipped(rig, 1)?;
        rig.kill(1)?;
        rig.restart(1, 2)?;
        self.counts.write(at(rig, 0), true)?;
        exchange(rig, 1, &NEXT)?;
        self.check(rig, 1)
    }

    /// The only node of the current version gets its copies from nodes of the next version, becomes the only
    /// node, and transfers them back.
    fn old_comes_to_next(&mut self, rig: &mut Rig) -> Result<()> {
        rig.kill(2)?;
        rig.restart(2, 2)?;
        self.counts.write(at(rig, 1), true)?;
        self.skipped += skipped(rig, 2)?;
        rig.kill(0)?;
        rig.kill(1)?;
        rig.hosts[2].ready(0)?;
        self.counts.write(at(rig, 2), false)?;
        rig.restart(0, 1)?;
        rig.restart(1, 2)?;
        self.check(rig, 0)?;
        self.check(rig, 1)
    }

    /// All nodes run the next version for a while, then all run the current version again.
    fn all_go_back(&mut self, rig: &mut Rig, today: &[String]) -> Result<()> {
        exchange(rig, 2, &NEXT)?;
        self.counts.write(at(rig, 2), true)?;
        (0..3).try_for_each(|node| self.check(rig, node))?;
        exchange(rig, 0, today)?;
        exchange(rig, 1, today)?;
        self.counts.write(at(rig, 0), false)?;
        self.check(rig, 2)?;
        exchange(rig, 2, today)
    }

    /// Reads the field back from a node of the next version.
    fn check(&mut self, rig: &Rig, node: usize) -> Result<()> {
        self.checked += self.counts.len();
        self.wrong.extend(self.counts.read_back(at(rig, node))?);
        Ok(())
    }

    fn report(self, figures: &mut Figures) {
        figures.measure(
            "unknown fields read back",
            format!("{} of {}", self.checked - self.wrong.len(), self.checked),
        );
        figures.measure("unknown frames", self.skipped);
        figures.require(self.skipped > 0.0, || "no current node received an unknown frame".to_owned());
        let wrong = self.wrong;
        figures
            .require(wrong.is_empty(), || format!("{} fields read back wrong, as {}", wrong.len(), wrong[0]));
    }
}

/// Drains a node and restarts it as another version.
fn exchange(rig: &mut Rig, node: usize, planted: &[impl ToString]) -> Result<()> {
    let name = rig.hosts[node].name.clone();
    rig.report_event(&format!("killed {name}"))?;
    rig.hosts[node].leave()?;
    rig.hosts[node].plant(planted);
    rig.restart(node, 2).map(drop)
}

fn at(rig: &Rig, node: usize) -> SocketAddrV4 {
    SocketAddrV4::new(rig.hosts[node].address(), 9080)
}

fn skipped(rig: &Rig, node: usize) -> Result<f64> {
    rig.hosts[node].metric("sessile_frames_skipped_total")
}
