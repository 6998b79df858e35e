//! The mutation pass. One copy of the core has hundreds of small semantic changes, each behind a number that
//! is chosen at run time; each is run against the core's tests and the simulator's seeds until something
//! notices it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program that reports to its terminal")]

mod compile;
mod find;
mod point;
mod record;
mod trial;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use record::{Explained, Record};
use trial::Trial;
use workspace::{Mutant, Workspace};

/// Changes the core in hundreds of small ways, and demands that tests or seeds notice each.
#[derive(Parser)]
struct Arguments {
    /// Try at most so many, spread evenly over all.
    #[arg(long)]
    most: Option<usize>,
    /// Try ten that are not explained, against 100 seeds: what CI runs.
    #[arg(long, conflicts_with_all = ["most", "survivors"])]
    sample: bool,
    /// Begin with another one, so that two samples differ.
    #[arg(long, default_value_t = 0)]
    offset: usize,
    /// Seeds that each mutant is run against.
    #[arg(long, default_value_t = 500)]
    seeds: u64,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Try only what survived according to the record.
    #[arg(long)]
    survivors: bool,
    /// Leave the core's tests out: only seeds count.
    #[arg(long)]
    seeds_only: bool,
    /// Print all mutants with their numbers and try none.
    #[arg(long)]
    list: bool,
    /// Try again what the record has already.
    #[arg(long)]
    anew: bool,
}

fn main() -> Result<ExitCode> {
    let mut arguments = Arguments::parse();
    if arguments.sample {
        (arguments.most, arguments.seeds, arguments.anew) = (Some(10), 100, true);
    }
    let mut workspace = Workspace::here()?;
    let found = workspace.mutants()?;
    let all = compile::compiling(&mut workspace, found)?;
    let explained = Explained::read(&workspace.root.join("sim/mutants/survivors.txt"))?;
    if arguments.list {
        all.iter()
            .for_each(|mutant| println!("{:>5} {:>4} {}", mutant.number, mutant.point.line, mutant.name()));
        return Ok(ExitCode::SUCCESS);
    }
    let mut record = Record::read(&workspace.copy.join("verdicts.txt"))?;
    let chosen = chosen(&arguments, &all, &record, &explained);
    println!("{} changes compile, {} are tried", all.len(), chosen.len());
    let programs = compile::build(&workspace)?;
    let (seeds, jobs, seeds_only) = (arguments.seeds, arguments.jobs, arguments.seeds_only);
    let mut trial = Trial { programs, seeds, jobs, seeds_only };
    trial.prepare()?;
    for mutant in &chosen {
        let verdict = trial.run(mutant.number)?;
        println!("{} {:>4} {}", verdict.text(), mutant.point.line, mutant.name());
        record.add(&mutant.name(), &verdict)?;
    }
    let unexplained = record.report(&chosen, &explained);
    // A few mutants say little of any single one: a sample guards the share.
    let most = if arguments.sample { chosen.len() / 2 } else { 0 };
    Ok(if unexplained > most { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The mutants to be tried: spread evenly, without those that are explained where only a sample is asked for.
fn chosen(arguments: &Arguments, all: &[Mutant], record: &Record, explained: &Explained) -> Vec<Mutant> {
    let is_wanted = |mutant: &&Mutant| {
        let name = mutant.name();
        if arguments.survivors {
            record.survived(&name)
        } else {
            (arguments.anew || !record.knows(&name)) && (arguments.most.is_none() || !explained.has(&name))
        }
    };
    let wanted: Vec<_> = all.iter().filter(is_wanted).collect();
    let most = arguments.most.unwrap_or(wanted.len()).min(wanted.len());
    (0..most)
        .map(|index| wanted[(index * wanted.len() / most + arguments.offset) % wanted.len()].clone())
        .collect()
}
