//! JavaScript to a component: componentize-js, which brings an engine, from npm in the one version that the sample names.

use std::process::Command;

use anyhow::Result;

use crate::place::Place;
use crate::run::run;

const REMEDY: &str = "install Node.js 20 or newer with npm, which must reach its registry";

/// Builds the package `samples/NAME`.
pub fn build(place: &Place, name: &str) -> Result<()> {
    let sample = place.sample(name);
    let npm = ["install", "--no-package-lock", "--no-fund", "--no-audit", "--silent"];
    run(Command::new("npm").args(npm).current_dir(&sample), REMEDY)?;
    let mut node = Command::new("node");
    node.current_dir(&sample).arg("build.mjs").arg(place.wit()).arg(place.component(name));
    run(&mut node, REMEDY)
}
