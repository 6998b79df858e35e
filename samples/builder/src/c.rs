//! C to a component: bindings for the world `app`, clang, and the adapter from the WASI of its library to that of components.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_bindgen_core::Files;
use wit_bindgen_core::wit_parser::Resolve;
use wit_component::ComponentEncoder;

use crate::place::Place;
use crate::run::run;

const REMEDY: &str = "on Debian: apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32";

/// Builds `samples/NAME/NAME.c`.
pub fn build(place: &Place, name: &str) -> Result<()> {
    let (workshop, source) = (place.workshop(name)?, place.sample(name).join(format!("{name}.c")));
    write_bindings(&place.wit(), &workshop)?;
    let core = workshop.join("core.wasm");
    let mut clang = Command::new("clang");
    clang.args(["--target=wasm32-wasi", "-Os", "-Wall", "-mexec-model=reactor", "-I"]).arg(&workshop);
    clang.arg(&source).args(["app.c", "app_component_type.o"].map(|file| workshop.join(file)));
    run(clang.arg("-o").arg(&core), REMEDY)?;
    place.finish(name, &component(&fs::read(core)?)?)
}

fn write_bindings(wit: &Path, workshop: &Path) -> Result<()> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(wit)?;
    let world = resolve.select_world(&[package], Some("app"))?;
    let mut files = Files::default();
    wit_bindgen_c::Opts::default().build().generate(&mut resolve, world, &mut files)?;
    for (name, contents) in files.iter() {
        fs::write(workshop.join(name), contents)?;
    }
    Ok(())
}

fn component(core: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default()
        .module(core)?
        .adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)?
        .validate(true)
        .encode()
}
