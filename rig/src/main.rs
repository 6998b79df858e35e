//! Test hosts in network namespaces: real nodes, real faults, and the verdict of a drill.
//!
//! `namespaces` runs this program in separate namespaces; `network` is a bridge with hosts and link faults;
//! `link_emulator` emulates links that delay, stall and damage; `host` is a node's process; `drill_process`
//! is a running `sessile drill`; `rig` combines them. Each of `scenarios` is a fault of the catalogue with
//! its requirement; `soak` runs one cluster under many faults for a long time. Must not know how sessions are
//! replicated, nor judge by itself what clients saw.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports to its terminal")]

mod bulk_sessions;
mod commit_counts;
mod control_group;
mod drill_process;
mod figures;
mod flood;
mod host;
mod http_request;
mod link_emulator;
mod login_app;
mod namespaces;
mod network;
mod plants;
mod rig;
mod scenario;
mod scenarios;
mod soak;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};

use crate::figures::Figures;
use crate::rig::ScenarioContext;
use crate::scenario::Scenario;
use crate::scenarios::SCENARIOS;

/// Runs nodes on hosts that are network namespaces, injects faults, and judges the observations of clients.
#[derive(Debug, Parser)]
#[command(name = "sessile-rig", args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    helper: Option<Helper>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Args)]
struct Options {
    /// List the scenarios
    #[arg(long)]
    list: bool,
    /// Play scenarios whose names begin with NAME, such as F8; may be given several times
    #[arg(long, value_name = "NAME", conflicts_with_all = ["quick", "all"])]
    scenario: Vec<String>,
    /// Play a few scenarios that together take little more than a minute
    #[arg(long)]
    quick: bool,
    /// Play every scenario
    #[arg(long, conflicts_with = "quick")]
    all: bool,
    /// Check that planted bugs are found: every bug that real processes can show, or with --quick one that
    /// they always show
    #[arg(long, conflicts_with_all = ["all", "scenario"])]
    plants: bool,
    /// Play with this bug of the core in every node; with --plants, check only this bug
    #[arg(long, value_name = "BUG", value_parser = plants::known)]
    plant: Option<String>,
    /// Run one cluster for this time (such as 1h) under faults sampled from the seed; processes that run all
    /// the time must not grow
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, conflicts_with_all = ["quick", "all", "scenario", "list"])]
    soak: Option<Duration>,
    /// The seed of the clients and of sampled faults
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Keep logs, configurations and histories in this folder
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    /// The program `sessile`; by default the one beside this program
    #[arg(long, value_name = "FILE")]
    sessile: Option<PathBuf>,
    /// This process is already in separate namespaces
    #[arg(long, hide = true)]
    nested: bool,
}

/// Helpers that the rig runs on its hosts.
#[derive(Debug, Subcommand)]
enum Helper {
    /// Floods a multicast group with random and replayed datagrams
    #[command(hide = true)]
    Flood(flood::Flood),
    /// A node with an application whose login changes the session's id
    #[command(hide = true)]
    LoginApp(login_app::LoginApp),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.helper {
        Some(Helper::Flood(flood)) => flood.run().map(|()| true),
        Some(Helper::LoginApp(app)) => app.run().map(|()| true),
        None => run(arguments.options),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(options: Options) -> Result<bool> {
    let chosen = match options.soak {
        Some(time) => soak::enough(time).map(|()| Vec::new())?,
        None if options.plants => Vec::new(),
        None => chosen(&options)?,
    };
    if options.list {
        for scenario in &chosen {
            println!("{:<18} {}\n{:<18}   bar: {}", scenario.name, scenario.title, "", scenario.bar);
        }
        return Ok(true);
    }
    if !options.nested {
        return namespaces::enter();
    }
    namespaces::prepare()?;
    let sessile = sessile(&options)?;
    if options.plants {
        return plants::find(&sessile, options.plant.as_deref(), options.quick, options.seed);
    }
    if let Some(time) = options.soak {
        return soak::run(ScenarioContext::new(sessile, options.seed, options.keep)?, time);
    }
    let mut fine = true;
    for scenario in chosen {
        fine &= play(scenario, &options, &sessile);
    }
    Ok(fine)
}

fn chosen(options: &Options) -> Result<Vec<&'static Scenario>> {
    let is_named = |scenario: &&Scenario| options.scenario.iter().any(|name| scenario.is_called(name));
    let is_chosen = |scenario: &&Scenario| {
        options.all || options.list || options.quick && scenario.quick || is_named(scenario)
    };
    let unknown =
        options.scenario.iter().find(|name| !SCENARIOS.iter().any(|scenario| scenario.is_called(name)));
    if let Some(name) = unknown {
        bail!("there is no scenario {name}; --list shows all");
    }
    let chosen: Vec<_> = SCENARIOS.iter().filter(is_chosen).collect();
    if chosen.is_empty() {
        bail!("nothing to play: give --quick, --all, --scenario NAME, or --list");
    }
    Ok(chosen)
}

/// Plays one scenario; prints its figures in a line.
fn play(scenario: &Scenario, options: &Options, sessile: &Path) -> bool {
    let began = Instant::now();
    let keep = options.keep.as_ref().map(|folder| folder.join(scenario.name));
    let played = ScenarioContext::new(sessile.to_owned(), options.seed, keep)
        .and_then(|context| (scenario.play)(&context.planted(options.plant.as_deref())));
    let seconds = began.elapsed().as_secs();
    match played {
        Ok(figures) => {
            let fine = figures.holds();
            let word = if fine { "ok" } else { "FAILED" };
            println!("{:<18} {word:<6} {seconds:>3} s  {figures}", scenario.name);
            tell_broken(&figures, scenario, options.seed);
            fine
        }
        Err(error) => {
            println!("{:<18} BROKEN {seconds:>3} s  {error:#}; seed {}", scenario.name, options.seed);
            false
        }
    }
}

fn tell_broken(figures: &Figures, scenario: &Scenario, seed: u64) {
    for broken in &figures.broken {
        println!("    {broken}; seed {seed}, bar: {}", scenario.bar);
    }
}

fn sessile(options: &Options) -> Result<PathBuf> {
    let beside = std::env::current_exe().context("where is this program?")?.with_file_name("sessile");
    let file = options.sessile.clone().unwrap_or(beside);
    match file.is_file() {
        true => Ok(file),
        false => bail!("{} does not exist: build it, or name the program with --sessile", file.display()),
    }
}
