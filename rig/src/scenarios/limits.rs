//! Hosts that have too little of something.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::figures::Figures;
use crate::host::Settings;
use crate::rig::Ground;
use crate::scenario::Scenario;
use crate::scenarios::{end, go_on};

pub(crate) const DESCRIPTORS: Scenario = Scenario {
    name: "F27-descriptors",
    title: "nodes that may open 96 descriptors, and 300 idle connections to one of them for 6 s",
    bar: "its accept loops survive: it serves again when they are gone",
    quick: false,
    play: descriptors,
};

fn descriptors(ground: &Ground) -> Result<Figures> {
    let settings = Settings { descriptors: Some(96), ..Settings::default() };
    let mut rig = ground.cluster(3, &settings)?;
    rig.load(ground, &["--patience", "8s"])?;
    go_on(2);
    rig.tell("cut tc01,tc02 tc03")?;
    let at = SocketAddr::from((rig.hosts[2].address(), 9080));
    let idle: Vec<_> =
        (0..300).map_while(|_| TcpStream::connect_timeout(&at, Duration::from_secs(1)).ok()).collect();
    go_on(6);
    let opened = idle.len();
    drop(idle);
    rig.tell("healed")?;
    let mut figures = end(&mut rig)?;
    figures.measure("idle connections", opened);
    figures.require(opened > 96, || format!("only {opened} connections could be opened"));
    Ok(figures)
}

pub(crate) const LITTLE_CPU: Scenario = Scenario {
    name: "F29-little-cpu",
    title: "one node has 5 % of a processor for 10 s",
    bar: "nothing is corrupt; it is there again when it has more",
    quick: false,
    play: |ground| {
        let mut rig = ground.cluster(3, &Settings::default())?;
        rig.load(ground, &["--patience", "8s"])?;
        go_on(2);
        rig.tell("note little cpu")?;
        let bound = Bound::of(rig.hosts[2].pid().context("the node lives")?, 5)?;
        go_on(10);
        let (throttled, removed) = (bound.throttled()?, rig.removals());
        drop(bound);
        let mut figures = end(&mut rig)?;
        figures.measure("throttled", throttled);
        figures.measure("removals", removed);
        figures.require(throttled > 0, || "it always had enough".to_owned());
        Ok(figures)
    },
};

/// A process in a control group with so much of one processor; it is free again when this is dropped.
struct Bound {
    group: PathBuf,
    process: u32,
}

impl Bound {
    fn of(process: u32, percent: u32) -> Result<Self> {
        let (group, file, quota) = match PathBuf::from("/sys/fs/cgroup/cpu") {
            one if one.is_dir() => (one, "cpu.cfs_quota_us", (percent * 1_000).to_string()),
            _ => (PathBuf::from("/sys/fs/cgroup"), "cpu.max", format!("{} 100000", percent * 1_000)),
        };
        let group = group.join(format!("sessile-rig-{process}"));
        fs::create_dir_all(&group).with_context(|| format!("{}: no control group", group.display()))?;
        let bound = Self { group, process };
        fs::write(bound.group.join(file), quota).context("a share of the processor")?;
        fs::write(bound.group.join("cgroup.procs"), process.to_string()).context("a control group")?;
        Ok(bound)
    }

    /// How often it had to wait for its share.
    fn throttled(&self) -> Result<u64> {
        let stat = fs::read_to_string(self.group.join("cpu.stat")).context("a control group")?;
        let count = stat.lines().find_map(|line| line.strip_prefix("nr_throttled "));
        count.and_then(|count| count.parse().ok()).context("a control group without nr_throttled")
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        if let Some(parent) = self.group.parent() {
            let _ = fs::write(parent.join("cgroup.procs"), self.process.to_string());
        }
        let _ = fs::remove_dir(&self.group);
    }
}
