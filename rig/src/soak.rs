//! One cluster for long: the same processes under load and one fault after the other, which must not grow.
//!
//! The load comes in rounds, each a drill that is judged by itself; between two of them nothing happens, and what the
//! processes hold then is what is compared. `faults` is a round's faults, `process_sampler` counts what the processes hold, `growth`
//! judges it. Must not know what a drill finds, only whether.

mod faults;
mod growth;
mod process_sampler;

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use sessile_history::Dice;

use self::growth::GrowthTable;
use self::process_sampler::ProcessSampler;
use crate::host::NodeSettings;
use crate::link_emulator::LinkFaults;
use crate::rig::{Rig, ScenarioContext};

/// Nodes; the first two and the balancer run all the time.
const NODES: usize = 4;
/// Faults begin for so long in a round.
const ROUND: Duration = Duration::from_secs(50);
/// Then nothing happens for so long; all samples of the second half count.
const QUIET: Duration = Duration::from_secs(10);
/// The shortest soak: a round to warm up, one to compare, and one to compare with.
const SHORTEST: Duration = Duration::from_secs(4 * 60);
/// A moderate load: about a hundred requests a second.
const LOAD: [&str; 6] = ["--clients", "6", "--think", "30ms", "--patience", "15s"];
/// Bytes of what a round's drill found that are shown.
const SHOWN: usize = 2_000;

/// Sessions of past rounds, and the memory of their ends, are gone after the timeout; within a round none runs out. A
/// machine that is busy with other things must not look like a split.
const SETTINGS: NodeSettings = NodeSettings {
    cluster: "rig",
    multicast: true,
    more: "[session]\ntimeout = \"3m\"\n",
    membership: "drop_time = \"5s\"\n",
    helper: None,
    descriptors: None,
};

/// An error if nothing could be compared after so short a time.
pub(crate) fn enough(time: Duration) -> Result<()> {
    if time < SHORTEST {
        let [given, least] = [time, SHORTEST].map(humantime::format_duration);
        bail!("--soak {given} is too short to see growth: give {least} or more");
    }
    Ok(())
}

/// Soaks for so long; says a line a round and a table at the end. Whether nothing was found and all was flat.
pub(crate) fn run(mut context: ScenarioContext, time: Duration) -> Result<bool> {
    let (mut dice, seed) = (context.dice(), context.seed);
    let (mut rig, link_faults) = cluster(&context)?;
    let sampler = ProcessSampler::start(&context.directory().join("soak.csv"))?;
    let (began, mut fine, mut number) = (Instant::now(), true, 0);
    while began.elapsed() < time {
        number += 1;
        context.seed = seed + number;
        sampler.begin(number);
        sampler.follow(rig.processes());
        let round = round(&mut rig, &context, &mut dice, &link_faults, &sampler);
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

/// One drill with its faults; whether it found nothing.
fn round(
    rig: &mut Rig,
    context: &ScenarioContext,
    dice: &mut Dice,
    link_faults: &LinkFaults,
    sampler: &ProcessSampler,
) -> Result<bool> {
    let began = Instant::now();
    rig.load(context, &LOAD)?;
    let mut done = Vec::new();
    while began.elapsed() < ROUND {
        sleep(Duration::from_secs(1 + dice.below(3)));
        done.push(faults::inject(rig, dice, link_faults)?);
        sampler.follow(rig.processes());
    }
    rig.together()?;
    sleep(Duration::from_secs(2));
    let figures = rig.judged()?;
    let (word, round) = (if figures.holds() { "ok" } else { "FAILED" }, sampler.round());
    println!("round {round:>3}  {word:<6} {figures}; {}; {}", sampler.now(), done.join(", "));
    if !figures.holds() {
        let kept = context.directory().join(format!("round-{round}"));
        // Of an earlier soak into the same folder.
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
