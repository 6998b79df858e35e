//! Python to a component: componentize-py, which brings an interpreter, from PyPI in the sample's version.

use std::process::Command;

use anyhow::Result;

use crate::place::Place;
use crate::run::run;

const REMEDY: &str = "install Python 3.10 or newer with venv and pip, which must reach PyPI";

/// Builds `samples/NAME/app.py`.
pub fn build(place: &Place, name: &str) -> Result<()> {
    let (sample, venv) = (place.sample(name), place.workshop(name)?.join("venv"));
    let requirements = sample.join("requirements.txt");
    run(Command::new("python3").args(["-m", "venv"]).arg(&venv), REMEDY)?;
    let mut pip = Command::new(venv.join("bin/pip"));
    run(pip.args(["install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&requirements), REMEDY)?;
    let mut componentize = Command::new(venv.join("bin/componentize-py"));
    componentize.current_dir(&sample).env("PYTHONDONTWRITEBYTECODE", "1").arg("-d").arg(place.wit());
    componentize.args(["-w", "app", "componentize", "app", "-o"]).arg(place.component(name));
    run(&mut componentize, REMEDY)
}
