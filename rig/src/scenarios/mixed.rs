//! This version and a planted next one in one cluster.

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
    bar: "what only the next version knows is read back as it was written, after every way through nodes of today",
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

/// What is seen of the next version's field.
struct MixedVersions {
    counts: CommitCounts,
    checked: usize,
    wrong: Vec<String>,
    /// Frames that nodes of today did not know.
    skipped: f64,
}

impl MixedVersions {
    /// The only node of the next version dies; what it knew comes back to it from nodes of today.
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

    /// The only node of today gets its copies from nodes of the next version, is left alone with them, and gives them
    /// back.
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

    /// All are of the next version for a while; then all are of today again.
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

    /// A node of the next version reads its field back.
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
        figures
            .require(self.skipped > 0.0, || "no node of today met a frame that it does not know".to_owned());
        let wrong = self.wrong;
        figures
            .require(wrong.is_empty(), || format!("{} fields read back wrong, as {}", wrong.len(), wrong[0]));
    }
}

/// A node drains and leaves, and comes back as another version.
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
