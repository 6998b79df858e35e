//! Processes that are killed.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;

use anyhow::{Context, Result};

use crate::figures::Figures;
use crate::host::NodeSettings;
use crate::rig::ScenarioContext;
use crate::scenario::Scenario;
use crate::scenarios::{end, go_on};

pub(crate) const KILL: Scenario = Scenario {
    name: "F1-kill",
    title: "kill -9 of serving nodes, one at a time, each restarted; load through a balancer and directly",
    bar: "no acknowledged write is lost",
    quick: true,
    play: |context| {
        let mut rig = context.cluster(3, &NodeSettings::default())?;
        rig.balance(context)?;
        rig.load(context, &[])?;
        go_on(2);
        for node in 0..3 {
            rig.kill(node)?;
            go_on(1);
            rig.restart(node, 2)?;
            go_on(1);
        }
        end(&mut rig)
    },
};

pub(crate) const KILL_IN_BURST: Scenario = Scenario {
    name: "F2-F3-burst",
    title: "kill -9 of a node in a burst of writes, at seeded moments: between a peer's ack and the response, and of a copy",
    bar: "receipts are correct; a repeated numbered write takes effect once",
    quick: false,
    play: |context| {
        let mut rig = context.cluster(3, &NodeSettings::default())?;
        let mut rng = context.rng();
        rig.load(context, &["--think", "0ms", "--clients", "16"])?;
        for _ in 0..6 {
            std::thread::sleep(std::time::Duration::from_millis(500 + rng.below(500)));
            let node = rng.below(3) as usize;
            rig.kill(node)?;
            std::thread::sleep(std::time::Duration::from_millis(rng.below(300)));
            rig.restart(node, 2)?;
            rig.together()?;
        }
        end(&mut rig)
    },
};

pub(crate) const ALL_COPIES: Scenario = Scenario {
    name: "F4-all-copies",
    title: "all processes with copies are killed at once",
    bar: "lost sessions are absent, never partial; no key is reused; the nodes form a new cluster",
    quick: false,
    play: all_copies,
};

fn all_copies(context: &ScenarioContext) -> Result<Figures> {
    let mut rig = context.cluster(3, &NodeSettings::default())?;
    rig.load(context, &[])?;
    go_on(3);
    (0..3).try_for_each(|node| rig.kill(node))?;
    (0..3).try_for_each(|node| rig.hosts[node].start())?;
    for node in 0..3 {
        rig.hosts[node].ready(2)?;
        let name = rig.hosts[node].name.clone();
        rig.report_event(&format!("started {name}"))?;
    }
    go_on(3);
    let history = rig.history().context("there is a load")?;
    let mut figures = end(&mut rig)?;
    let kept = BufReader::new(File::open(history).context("the history")?);
    let history = sessile_history::read(kept).context("the history")?;
    let keys: BTreeSet<_> = history.sessions.iter().map(|session| &session.key).collect();
    let gone = sessile_history::judge(&history).gone_with_all_copies;
    figures.measure("gone with all copies", gone);
    figures.require(gone > 0, || "no client met a lost session".to_owned());
    figures.require(keys.len() == history.sessions.len(), || "a key was used twice".to_owned());
    Ok(figures)
}
