//! Rust to a component, with the compiler's own target for components, or with Debian's compiler and the sources of its
//! library where `rustup` has no such target.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::place::Place;
use crate::run::run;

const REMEDY: &str =
    "with rustup: `rustup target add wasm32-wasip2`; on Debian: `apt-get install rustc-web rust-web-src`";
/// Where Debian's `rustc-web` is.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// Builds the crate `samples/NAME`.
pub fn build(place: &Place, name: &str) -> Result<()> {
    let workshop = place.workshop(name)?;
    let mut cargo = Command::new("cargo");
    cargo.current_dir(place.sample(name)).env("CARGO_TARGET_DIR", &workshop);
    cargo.args(["build", "--release", "--locked"]);
    let target = if has_target("wasm32-wasip2")? { "wasm32-wasip2" } else { build_library_too(&mut cargo)? };
    run(cargo.args(["--target", target]), REMEDY)?;
    let built = workshop.join(target).join(format!("release/{}.wasm", name.replace('-', "_")));
    place.finish(name, &fs::read(&built).with_context(|| format!("{} is not there", built.display()))?)
}

fn has_target(target: &str) -> Result<bool> {
    let library = printed(&["--print", "target-libdir", "--target", target])?;
    Ok(PathBuf::from(library).is_dir())
}

/// Debian's compiler makes modules; the linker that `rustup`'s brings makes components of them.
fn build_library_too(cargo: &mut Command) -> Result<&'static str> {
    ensure!(PathBuf::from(DEBIAN_RUSTC).exists(), "no Rust compiler for components; {REMEDY}");
    let host = printed(&["--version", "--verbose"])?;
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc tells no host")?;
    let tools = PathBuf::from(printed(&["--print", "sysroot"])?).join("lib/rustlib").join(host).join("bin");
    cargo
        .env("RUSTC", DEBIAN_RUSTC)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", tools.join("wasm-component-ld"))
        .env("RUSTFLAGS", format!("-Clink-arg=--wasm-ld-path={}", tools.join("gcc-ld/wasm-ld").display()))
        .arg("-Zbuild-std=std,panic_abort");
    Ok("wasm32-unknown-unknown")
}

fn printed(arguments: &[&str]) -> Result<String> {
    let output = Command::new("rustc").args(arguments).output().context("`rustc` cannot be run")?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}
