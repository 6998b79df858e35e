//! Builds the samples of this directory: `cargo run --manifest-path samples/builder/Cargo.toml -- probe shop`.
//!
//! Components go to `target/guests` in the repository, or where `SESSILE_GUESTS` says. Without names it builds
//! those in C and Rust.

mod c;
mod javascript;
mod place;
mod python;
mod run;
mod rust;

use anyhow::{Result, bail};

use place::Place;

/// Buildable guests and their toolchains.
const SAMPLES: [(&str, fn(&Place, &str) -> Result<()>); 4] = [
    ("probe", c::build),
    ("shop", rust::build),
    ("cart-js", javascript::build),
    ("cart-python", python::build),
];
/// Default guests: those that need no registry but Rust's.
const USUAL: [&str; 2] = ["probe", "shop"];

fn main() -> Result<()> {
    let place = Place::here()?;
    let mut wanted: Vec<String> = std::env::args().skip(1).collect();
    if wanted.is_empty() {
        wanted = USUAL.map(str::to_owned).into();
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
