//! Builds the samples of this directory: `cargo run --manifest-path samples/builder/Cargo.toml -- probe shop`.
//!
//! Components go to `target/guests` in the repository, or where `SESSILE_GUESTS` says. Without names it builds those
//! that the tests need.

mod c;
mod place;
mod run;
mod rust;

use anyhow::{Result, bail};

use place::Place;

/// What can be built, and with what.
const SAMPLES: [(&str, fn(&Place, &str) -> Result<()>); 2] = [("probe", c::build), ("shop", rust::build)];

fn main() -> Result<()> {
    let place = Place::here()?;
    let mut wanted: Vec<String> = std::env::args().skip(1).collect();
    if wanted.is_empty() {
        wanted = vec!["probe".to_owned(), "shop".to_owned()];
    }
    for name in wanted {
        let Some((name, build)) = SAMPLES.iter().find(|(known, _)| *known == name) else {
            bail!("there is no sample `{name}`; there are: {}", SAMPLES.map(|(name, _)| name).join(", "));
        };
        build(&place, name)?;
        println!("{}", place.component(name).display());
    }
    Ok(())
}
