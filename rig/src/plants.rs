//! Planted bugs: a verdict that never found one cannot be believed.
//!
//! Each bug of the core that a process under faults can show is planted into every node of a scenario, with one seed
//! after the other, until a bar is broken. The same scenario and seed must hold without the bug; else something
//! else was found.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use sessile_planted::bugs;

use crate::figures::Figures;
use crate::rig::Ground;
use crate::scenario::Scenario;
use crate::scenarios::SCENARIOS;

/// A planted bug must be found within so many runs.
const FOUND_WITHIN: u64 = 4;

/// The bugs, and in which scenario each must be found.
const PLANTS: [(&str, &str); 1] = [("no-lease", "F5-pause")];

/// The name of a bug, if there is one of that name.
pub(crate) fn known(name: &str) -> Result<String, String> {
    let names = || bugs::BUGS.map(|(name, _)| name).join(", ");
    match bugs::by_name(name) {
        Some(_) => Ok(name.to_owned()),
        None => Err(format!("no bug is called so; there are {}", names())),
    }
}

/// Looks for all of them, or for this one; whether each was found.
pub(crate) fn find(sessile: &Path, only: Option<&str>, seed: u64) -> Result<bool> {
    let wanted: Vec<_> = PLANTS.iter().filter(|(bug, _)| only.is_none_or(|only| only == *bug)).collect();
    if wanted.is_empty() {
        let names: Vec<_> = PLANTS.iter().map(|(bug, _)| *bug).collect();
        bail!("no scenario of the rig must find that bug; those of --plants are {}", names.join(", "));
    }
    println!("{:<24} {:<14} {:>4}  {:>4}  found by", "plant", "scenario", "runs", "time");
    let mut all = true;
    for (bug, name) in wanted {
        let scenario =
            SCENARIOS.iter().find(|scenario| scenario.name == *name).context("a scenario's name")?;
        all &= look_for(bug, scenario, sessile, seed)?;
    }
    Ok(all)
}

fn look_for(bug: &str, scenario: &Scenario, sessile: &Path, first: u64) -> Result<bool> {
    let began = Instant::now();
    let tell = |runs: u64, words: &str| {
        let seconds = began.elapsed().as_secs();
        println!("{bug:<24} {:<14} {runs:>4}  {seconds:>2} s  {words}", scenario.name);
    };
    for runs in 1..=FOUND_WITHIN {
        let seed = first + runs - 1;
        let played = play(scenario, sessile, seed, Some(bug))?;
        let [first, ..] = played.broken.as_slice() else { continue };
        let without = play(scenario, sessile, seed, None)?;
        if without.holds() {
            tell(runs, first);
            return Ok(true);
        }
        println!("    seed {seed} broke without the bug, too: {}", without.broken.join("; "));
    }
    tell(FOUND_WITHIN, "NOT FOUND");
    Ok(false)
}

fn play(scenario: &Scenario, sessile: &Path, seed: u64, bug: Option<&str>) -> Result<Figures> {
    let ground = Ground::new(sessile.to_owned(), seed, None)?.planted(bug);
    (scenario.play)(&ground)
}
