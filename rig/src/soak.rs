//! A long run of one cluster: processes under load and successive faults must not grow.
//!
//! The load comes in rounds; each round is a drill with its own verdict. Between two rounds the cluster is
//! idle, and the resource usage of that time is compared. `faults` injects a round's faults,
//! `process_sampler` samples resource usage, `growth` judges it. Must not know what a drill finds, only
//! whether it passes.

mod faults;
mod growth;
mod process_sampler;

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sessile_history::SeededRng;

use self::growth::GrowthTable;
use self::process_sampler::ProcessSampler;
use crate::host::NodeSettings;
use crate::link_emulator::LinkFaults;
use crate::rig::{Rig, ScenarioContext};

/// Number of nodes; the first two and the balancer run all the time.
const NODES: usize = 4;
/// Time of a round in which faults begin.
const ROUND: Duration = Duration::from_secs(50);
/// Idle time after a round; the samples of its second half count.
const QUIET: Duration = Duration::from_secs(10);
/// The shortest soak: a warm-up round and two rounds to compare.
const SHORTEST: Duration = Duration::from_secs(4 * 60);
/// A moderate load: about a hundred requests a second.
const LOAD: [&str; 6] = ["--clients", "6", "--think", "30ms", "--patience", "15s"];
/// Most bytes shown of a round's findings.
const SHOWN: usize = 2_000;

/// Sessions and tombstones of past rounds are gone after the timeout; within a round none expires. A busy
/// machine must not look like a split.
const SETTINGS: NodeSettings = NodeSettings {
    cluster: "rig",
    multicast: true,
    more: "[session]\ntimeout = \"3m\"\n",
    membership: "drop_time = \"5s\"\n",
    helper: None,
    descriptors: None,
};

/// Fails if the time is too short for a comparison.
pub(crate) fn enough(time: Duration) -> Result<()> {
    if time < SHORTEST {
        let [given, least] = [time, SHORTEST].map(humantime::format_duration);
        bail!("--soak {given} is too short to see growth: give {least} or more");
    }
    Ok(())
}

/// Soaks for `time`; prints a line for each round and a final table. Returns whether all rounds passed and no
/// process grew.
pub(crate) fn run(mut context: ScenarioContext, time: Duration) -> Result<bool> {
    let (mut rng, seed) = (context.rng(), context.seed);
    let (mut rig, link_faults) = cluster(&context)?;
    let sampler = ProcessSampler::start(&context.directory().join("soak.csv"))?;
    let (began, mut fine, mut number) = (Instant::now(), true, 0);
    while began.elapsed() < time {
        number += 1;
        context.seed = seed + number;
        sampler.begin(number);
        sampler.follow(rig.processes());
        let round = round(&mut rig, &context, &mut rng, &link_faults, &sampler);
        fine &= round.with_context(|| format!("round {number}, seed {seed}"))?;
        sampler.quiet(QUIET);
    }
    let table = GrowthTable::of(&sampler.end()?);
    println!("\n{table}");
    table.broken().iter().for_each(|broken| println!("    {broken}; seed {seed}"));
    Ok(fine && table.broken().is_empty())
}

/// The last node's links go through emulators.
fn cluster(context: &ScenarioContext) -> Result<(Rig, LinkFaults)> {
    let mut rig = context.cluster(NODES, &SETTINGS)?;
    let link_faults = rig.emulate(NODES - 1)?;
    rig.kill(NODES - 1)?;
    rig.restart(NODES - 1, NODES - 1)?;
    rig.together()?;
    rig.balance(context)?;
    Ok((rig, link_faults))
}

/// Runs one drill with faults; returns whether it passed.
fn round(
    rig: &mut Rig,
    context: &ScenarioContext,
    rng: &mut SeededRng,
    link_faults: &LinkFaults,
    sampler: &ProcessSampler,
) -> Result<bool> {
    let began = Instant::now();
    rig.load(context, &LOAD)?;
    let mut done = Vec::new();
    while began.elapsed() < ROUND {
        sleep(Duration::from_secs(1 + rng.below(3)));
        done.push(faults::inject(rig, rng, link_faults)?);
        sampler.follow(rig.processes());
    }
    rig.together()?;
    sleep(Duration::from_secs(2));
    let figures = rig.judged()?;
    let (word, round) = (if figures.holds() { "ok" } else { "FAILED" }, sampler.round());
    println!("round {round:>3}  {word:<6} {figures}; {}; {}", sampler.now(), done.join(", "));
    if !figures.holds() {
        let kept = context.directory().join(format!("round-{round}"));
        // Remove the result of an earlier soak in the same folder.
        let _ = fs::remove_dir_all(&kept);
        fs::rename(context.directory().join("drill"), &kept).context("the history of the round")?;
        figures.broken.iter().for_each(|broken| println!("    {broken}; seed {}", context.seed));
        println!("{}", findings(&kept));
    }
    Ok(figures.holds())
}

fn findings(round: &Path) -> String {
    let text = fs::read_to_string(round.join("findings.txt")).unwrap_or_default();
    text.chars().take(SHOWN).collect()
}
