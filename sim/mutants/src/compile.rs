//! Compiling the copy: changes that do not compile are no mutants.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::workspace::{Mutant, Workspace};

/// Rounds of compiling after which the rest must compile.
const MAX_ROUNDS: usize = 40;

/// What runs a mutant.
pub(crate) struct Programs {
    /// The core's tests.
    pub(crate) tests: Vec<PathBuf>,
    /// The simulator.
    pub(crate) simulator: PathBuf,
}

/// Leaves out what does not compile, and gives the rest as it stands in the copy.
pub(crate) fn compiling(workspace: &mut Workspace, mut mutants: Vec<Mutant>) -> Result<Vec<Mutant>> {
    for _ in 0..MAX_ROUNDS {
        workspace.write(&mutants)?;
        let messages = cargo(workspace, &["check", "-p", "sessile-core", "--features", "planted"])?;
        let errors: Vec<_> = messages.iter().flat_map(spans).collect();
        if errors.is_empty() {
            return Ok(mutants);
        }
        let before = mutants.len();
        let blamed = |places: &[(PathBuf, Range<usize>)]| {
            let culprits = places.iter().flat_map(|(file, span)| culprits(workspace, file, span));
            culprits.collect::<BTreeSet<u32>>()
        };
        let mut culprits = blamed(&errors);
        if culprits.is_empty() {
            let others: Vec<_> = messages.iter().flat_map(|message| places_of(message, false)).collect();
            culprits = blamed(&others);
        }
        mutants.retain(|mutant| !culprits.contains(&mutant.number));
        eprintln!("{} of {before} changes do not compile and are left out", before - mutants.len());
        if mutants.len() == before {
            bail!("the copy does not compile, and no change is to blame: {errors:?}");
        }
    }
    bail!("after {MAX_ROUNDS} rounds the copy does not compile")
}

/// Builds the tests and the simulator of the copy.
pub(crate) fn build(workspace: &Workspace) -> Result<Programs> {
    let tests = ["test", "--no-run", "--lib", "--tests", "-p", "sessile-core", "--features", "planted"];
    let tests = executables(&cargo(workspace, &tests)?, true);
    let simulator = executables(&cargo(workspace, &["build", "--release", "-p", "sessile-sim"])?, false);
    let simulator = simulator.into_iter().next().context("the simulator was not built")?;
    if tests.is_empty() {
        bail!("the core's tests were not built");
    }
    Ok(Programs { tests, simulator })
}

/// Runs cargo in the copy and gives its messages. Whether it failed, the messages say.
fn cargo(workspace: &Workspace, arguments: &[&str]) -> Result<Vec<Value>> {
    let target = workspace.copy.parent().unwrap_or(&workspace.copy);
    let output = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .args(arguments)
        .args(["--message-format=json", "--offline"])
        .env("CARGO_TARGET_DIR", target)
        .current_dir(&workspace.copy)
        .stdin(Stdio::null())
        .output()
        .context("cargo cannot be run")?;
    let lines = String::from_utf8_lossy(&output.stdout);
    let messages: Vec<Value> = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    if !output.status.success() && messages.iter().flat_map(spans).next().is_none() {
        bail!("cargo {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(messages)
}

/// The places of an error, each the file and the bytes.
fn spans(message: &Value) -> Vec<(PathBuf, Range<usize>)> {
    places_of(message, true)
}

/// The same, or the other places that an error points at: what a type is inferred from may be to blame.
fn places_of(message: &Value, primary: bool) -> Vec<(PathBuf, Range<usize>)> {
    let message = &message["message"];
    if message["level"] != "error" {
        return Vec::new();
    }
    let spans = message["spans"].as_array().map(Vec::as_slice).unwrap_or_default();
    let place = |span: &Value| {
        let at = |name: &str| usize::try_from(span[name].as_u64()?).ok();
        Some((PathBuf::from(span["file_name"].as_str()?), at("byte_start")?..at("byte_end")?))
    };
    spans.iter().filter(|span| span["is_primary"] == primary).filter_map(place).collect()
}

/// The changes that an error comes from: those whose other expression has it; else the innermost around it;
/// else all that lie in it.
fn culprits(workspace: &Workspace, file: &Path, span: &Range<usize>) -> Vec<u32> {
    let Some(places) = workspace.places.get(file) else { return Vec::new() };
    let meets = |range: &Range<usize>| range.start < span.end && span.start < range.end;
    let others: Vec<_> =
        places.iter().filter(|place| meets(&place.other)).map(|place| place.number).collect();
    if !others.is_empty() {
        return others;
    }
    let around = places.iter().filter(|place| place.whole.start <= span.start && span.end <= place.whole.end);
    let innermost = around.min_by_key(|place| place.whole.len()).map(|place| place.number);
    let within = || places.iter().filter(|place| meets(&place.whole)).map(|place| place.number).collect();
    innermost.map_or_else(within, |number| vec![number])
}

fn executables(messages: &[Value], tests: bool) -> Vec<PathBuf> {
    let built = messages.iter().filter(|message| message["profile"]["test"] == tests);
    built.filter_map(|message| message["executable"].as_str()).map(PathBuf::from).collect()
}
