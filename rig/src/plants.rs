//! Planted bugs: they show that the verdict can find bugs.
//!
//! Each bug of the core that real processes can show is planted into every node of a scenario, with
//! successive seeds, until a requirement is broken. The same scenario and seed must hold without the bug;
//! otherwise the run found something else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use sessile_planted::bugs;

use crate::figures::Figures;
use crate::rig::ScenarioContext;
use crate::scenario::Scenario;
use crate::scenarios::SCENARIOS;

/// A planted bug must be found within this many seeds.
const FOUND_WITHIN: u64 = 5;

/// Most broken requirements shown for a run.
const FINDINGS_SHOWN: usize = 3;

/// A bug, and the scenario that must find it.
struct Planted {
    bug: &'static str,
    scenario: &'static str,
    /// Found in every run, in half a minute.
    quick: bool,
}

const PLANTS: [Planted; 17] = [
    slow("merged-by-arrival", "F1-kill"),
    slow("neighbour-taken", "F1-kill"),
    slow("clock-not-raised", "F1-kill"),
    slow("counter-from-live-fields", "F1-kill"),
    slow("joiner-not-awaited", "F2-F3-burst"),
    slow("no-lease", "F5-pause"),
    slow("own-pause-unnoticed", "F5-pause"),
    slow("end-forgotten-early", "F8-split"),
    slow("joiner-trusts-donor", "F8-split"),
    quick("settles-on-first", "F17-far"),
    slow("end-asynchronous", "F17-far"),
    slow("unlinked-not-awaited", "F21-resets"),
    slow("ack-incomplete", "F21-resets"),
    quick("end-compared-by-timestamp", "F47-logout-race"),
    slow("refusal-unreported", "F33-mixed"),
    slow("unknown-change-taken", "F33-mixed"),
    slow("unknown-field-dropped", "F33-mixed"),
];

const fn slow(bug: &'static str, scenario: &'static str) -> Planted {
    Planted { bug, scenario, quick: false }
}

const fn quick(bug: &'static str, scenario: &'static str) -> Planted {
    Planted { bug, scenario, quick: true }
}

/// Checks the name of a bug.
pub(crate) fn known(name: &str) -> Result<String, String> {
    let names = || bugs::BUGS.map(|(name, _)| name).join(", ");
    match bugs::by_name(name) {
        Some(_) => Ok(name.to_owned()),
        None => Err(format!("unknown bug; the bugs are {}", names())),
    }
}

/// Searches for the bug `only`, or for all bugs, or for the quick ones; returns whether each was found.
pub(crate) fn find(sessile: &Path, only: Option<&str>, is_quick: bool, seed: u64) -> Result<bool> {
    let is_wanted = |planted: &&Planted| match only {
        Some(only) => only == planted.bug,
        None => planted.quick || !is_quick,
    };
    let wanted: Vec<_> = PLANTS.iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        let names: Vec<_> = PLANTS.iter().map(|planted| planted.bug).collect();
        bail!("the rig has no scenario for that bug; the bugs of --plants are {}", names.join(", "));
    }
    println!("{:<24} {:<15} {:>5} {:>6}  found by", "plant", "scenario", "seeds", "time");
    let mut search = Search { sessile: sessile.to_owned(), first: seed, sound: BTreeMap::new() };
    let mut all = true;
    for planted in wanted {
        all &= search.look_for(planted)?;
    }
    Ok(all)
}

/// The search for all bugs.
struct Search {
    sessile: PathBuf,
    first: u64,
    /// Broken requirements of each scenario and seed without a bug.
    sound: BTreeMap<(&'static str, u64), Vec<String>>,
}

impl Search {
    /// Searches for one bug; prints the result in a line.
    fn look_for(&mut self, planted: &Planted) -> Result<bool> {
        let began = Instant::now();
        let scenario = SCENARIOS.iter().find(|scenario| scenario.name == planted.scenario);
        let scenario = scenario.with_context(|| format!("there is no scenario {}", planted.scenario))?;
        for seed in self.first..self.first + FOUND_WITHIN {
            let found = match self.play(scenario, seed, Some(planted.bug)) {
                Ok(figures) => figures.broken,
                Err(error) => {
                    // No verdict: the effect of the bug is unknown.
                    println!("    {error:#}");
                    continue;
                }
            };
            if found.is_empty() {
                continue;
            }
            let without = self.without_bug(scenario, seed)?;
            if without.is_empty() {
                planted.tell(
                    seed + 1 - self.first,
                    began,
                    &found[..found.len().min(FINDINGS_SHOWN)].join("; "),
                );
                return Ok(true);
            }
            println!("    seed {seed} of {} also fails without a bug: {}", scenario.name, without.join("; "));
        }
        planted.tell(FOUND_WITHIN, began, "NOT FOUND");
        Ok(false)
    }

    fn without_bug(&mut self, scenario: &Scenario, seed: u64) -> Result<Vec<String>> {
        if let Some(known) = self.sound.get(&(scenario.name, seed)) {
            return Ok(known.clone());
        }
        let broken = self.play(scenario, seed, None)?.broken;
        self.sound.insert((scenario.name, seed), broken.clone());
        Ok(broken)
    }

    fn play(&self, scenario: &Scenario, seed: u64, bug: Option<&str>) -> Result<Figures> {
        let context = ScenarioContext::new(self.sessile.clone(), seed, None)?.planted(bug);
        (scenario.play)(&context).with_context(|| format!("{} with seed {seed} and {bug:?}", scenario.name))
    }
}

impl Planted {
    fn tell(&self, seeds: u64, began: Instant, words: &str) {
        let seconds = began.elapsed().as_secs();
        println!("{:<24} {:<15} {seeds:>5} {seconds:>4} s  {words}", self.bug, self.scenario);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_planted_bug_exists_in_the_core_and_has_a_scenario() {
        for Planted { bug, scenario, .. } in PLANTS {
            assert!(known(bug).is_ok(), "{bug}");
            assert!(SCENARIOS.iter().any(|known| known.name == scenario), "{scenario}");
        }
    }
}
