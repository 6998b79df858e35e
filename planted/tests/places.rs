//! Deliberate bugs stay out of a build for users, and each has its place and its name.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use sessile_planted::bugs::BUGS;

/// The files that may speak of bugs: their bodies, and the macro at their places.
const OF_BUGS: [&str; 2] = ["planted.rs", "planting.rs"];

const CFG: &str = "#[cfg(feature = \"planted\")]";

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => sources(&path, found),
            false => found.push(path),
        }
    }
}

/// Every file of the core but those of bugs, with its text.
fn core() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/core/src"), &mut found);
    found.retain(|path| !OF_BUGS.iter().any(|name| path.ends_with(name)));
    found.into_iter().map(|path| (path.clone(), fs::read_to_string(path).expect("text"))).collect()
}

#[test]
fn a_build_for_users_has_nothing_of_bugs() {
    for (path, text) in core() {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (number, line) in lines.iter().enumerate() {
            let names_bugs =
                line.contains("Plant") || line.contains("planted::") || line.contains("planted:");
            let item = lines[..number].iter().rev().take(2).any(|before| *before == CFG);
            assert!(
                !names_bugs || item,
                "{}:{}: {line}: behind the feature only",
                path.display(),
                number + 1
            );
        }
    }
}

#[test]
fn every_bug_has_a_place_in_the_core() {
    let texts: Vec<String> = core().into_iter().map(|(_, text)| text).collect();
    let bugs =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/core/src/planted.rs"));
    let bugs = bugs.expect("the bodies of bugs");
    let names = bugs.lines().filter_map(|line| line.trim().strip_prefix("pub const ")?.split(':').next());
    let bodies = bugs.split_once("impl Planted").expect("the constants stand first").1;
    for name in names.filter(|name| *name != "NONE") {
        let is_used =
            |text: &str| text.contains(&format!(", {name}")) || text.contains(&format!("Plant::{name}"));
        assert!(texts.iter().any(|text| is_used(text)) || is_used(bodies), "{name} is nowhere");
    }
}

#[test]
fn every_bug_has_a_number_and_a_name_of_its_own() {
    let names: BTreeSet<_> = BUGS.iter().map(|(name, _)| *name).collect();
    let numbers: BTreeSet<_> = BUGS.iter().map(|(_, plant)| plant.0).collect();
    assert_eq!((names.len(), numbers.len()), (BUGS.len(), BUGS.len()));
    assert_eq!(numbers.last().copied(), Some(BUGS.len() as u32 - 1), "the numbers leave none out");
}
