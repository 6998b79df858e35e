//! The simulator's command line.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports to its terminal")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Instant;

use clap::Parser;
use sessile_core::Plant;
use sessile_planted::bugs::{BUGS, by_name};
use sessile_sim::harder::{Draw, Profile};
use sessile_sim::plants::{CAUGHT_WITHIN, catch, shown_by_seeds};
use sessile_sim::run::{SeedVerdict, run, run_many};
use sessile_sim::run_counters::RunCounters;

/// With at least this many seeds every required counter must be above zero.
const MEANINGFUL: u64 = 500;

/// Most reported failing seeds.
const REPORTED: usize = 10;

/// Runs the replication core under seeded faults in virtual time and checks the contract.
#[derive(Parser)]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Replay one seed.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// With --seed: print everything that happened.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Run with a deliberate bug.
    #[arg(long, value_name = "NAME")]
    plant: Option<String>,
    /// Run every deliberate bug and require that each is caught within 500 seeds.
    #[arg(long, conflicts_with_all = ["seed", "plant"])]
    plants: bool,
    /// Print one line for each seed with a digest of its history: every frame, effect and event. Two builds
    /// that decide alike print the same lines.
    #[arg(long, conflicts_with_all = ["seed", "plants"])]
    digest: bool,
    /// Stop at the first seed that breaks a promise.
    #[arg(long)]
    first: bool,
    /// Run with all draws that make seeds harder, also with those that the core does not hold yet.
    #[arg(long)]
    harder: bool,
    /// Run without any draw, as old seeds were.
    #[arg(long, conflicts_with = "harder")]
    classic: bool,
    /// Add one draw. May be given several times.
    #[arg(long = "with", value_name = "DRAW")]
    with: Vec<String>,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let plant = match arguments.plant.as_deref().map(|name| by_name(name).ok_or(name)) {
        None => Plant::NONE,
        Some(Ok(plant)) => plant,
        Some(Err(name)) => {
            let names: Vec<_> = BUGS.iter().map(|(name, _)| *name).collect();
            eprintln!("there is no plant {name}; the plants are {}", names.join(", "));
            return ExitCode::from(2);
        }
    };
    let profile = match profile(&arguments) {
        Ok(profile) => profile,
        Err(words) => {
            eprintln!("{words}");
            return ExitCode::from(2);
        }
    };
    let fine = match arguments.seed {
        _ if arguments.plants => all_plants(&arguments, profile),
        Some(seed) => replay(seed, profile, plant, arguments.trace),
        None if arguments.digest => digests(&arguments, profile, plant),
        None => many(&arguments, profile, plant),
    };
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The draws that the command line names.
fn profile(arguments: &Arguments) -> Result<Profile, String> {
    let begin = match arguments {
        Arguments { harder: true, .. } => Profile::harder(),
        Arguments { classic: true, .. } => Profile::CLASSIC,
        _ => Profile::held(),
    };
    arguments.with.iter().try_fold(begin, |profile, name| {
        let names: Vec<_> = Draw::ALL.iter().map(|draw| draw.name()).collect();
        let draw = Draw::by_name(name);
        draw.map(|draw| profile.with(draw))
            .ok_or_else(|| format!("there is no draw {name}; the draws are {}", names.join(", ")))
    })
}

fn replay(seed: u64, profile: Profile, plant: Plant, trace: bool) -> bool {
    let verdict = run(seed, profile, plant, trace);
    let mut out = std::io::stdout().lock();
    for line in &verdict.lines {
        if writeln!(out, "{line}").is_err() {
            return false;
        }
    }
    drop(out);
    println!("seed {seed}: {}, trace {:016x}", verdict.counters, verdict.fingerprint);
    report(&verdict);
    verdict.violations.is_empty()
}

/// Prints the digests in the order of the seeds.
fn digests(arguments: &Arguments, profile: Profile, plant: Plant) -> bool {
    let digests = Mutex::new(BTreeMap::new());
    run_many(arguments.from, arguments.seeds, arguments.jobs, profile, plant, |verdict| {
        let mut digests = digests.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        digests.insert(verdict.seed, verdict.fingerprint);
        true
    });
    let digests = digests.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    digests.iter().for_each(|(seed, digest)| println!("{seed} {digest:016x}"));
    true
}

fn report(verdict: &SeedVerdict) {
    for violation in verdict.violations.iter().take(6) {
        println!("seed {} VIOLATES {}", verdict.seed, violation.describe(&verdict.history));
    }
    if verdict.violations.len() > 6 {
        println!("seed {}: and {} more violations", verdict.seed, verdict.violations.len() - 6);
    }
}

fn many(arguments: &Arguments, profile: Profile, plant: Plant) -> bool {
    let began = Instant::now();
    let sums = Mutex::new((RunCounters::default(), Vec::new()));
    run_many(arguments.from, arguments.seeds, arguments.jobs, profile, plant, |verdict| {
        let mut sums = sums.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        sums.0.add(&verdict.counters);
        if let Some(violation) = verdict.violations.first() {
            if sums.1.len() < REPORTED {
                report(&verdict);
            }
            sums.1.push((verdict.seed, violation.checker));
        }
        !arguments.first || sums.1.is_empty()
    });
    let (counters, mut failed) = sums.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    failed.sort_unstable();
    let seconds = began.elapsed().as_secs_f64();
    println!("{} seeds in {seconds:.1} s, {:.1} seeds/s", arguments.seeds, arguments.seeds as f64 / seconds);
    println!("{counters}");
    for (seed, checker) in &failed {
        println!("seed {seed} violates {checker}; replay it with --seed {seed} --trace");
    }
    failed.is_empty() && is_meaningful(arguments.seeds, profile, &counters)
}

/// Whether all required situations occurred: a run without a situation proves nothing about it.
fn is_meaningful(seeds: u64, profile: Profile, counters: &RunCounters) -> bool {
    let missing: Vec<_> = counters.required().into_iter().filter(|(_, count)| *count == 0).collect();
    for (name, _) in &missing {
        println!("there were no {name}");
    }
    let unreached = counters.missing(profile);
    for name in unreached.iter().filter(|_| seeds >= MEANINGFUL) {
        println!("no seed had or reached: {name}");
    }
    seeds < MEANINGFUL || missing.is_empty() && unreached.is_empty()
}

fn all_plants(arguments: &Arguments, profile: Profile) -> bool {
    println!("{:<26} {:>6}  checker", "plant", "seeds");
    let mut all = true;
    for (name, plant) in shown_by_seeds() {
        match catch(plant, profile, arguments.from, CAUGHT_WITHIN, arguments.jobs) {
            Some(verdict) => {
                let seeds = verdict.seed - arguments.from + 1;
                println!("{name:<26} {seeds:>6}  {}", verdict.violations[0].checker);
            }
            None => {
                all = false;
                println!("{name:<26}      -  NOT CAUGHT within {CAUGHT_WITHIN} seeds");
            }
        }
    }
    all
}
