//! The guests, built before the tests by a command of its own. Where they are missing, a test is skipped in
//! words; where `SESSILE_REQUIRE_EXTERNAL` is set, it fails.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use bytes::Bytes;
use sessile_apps::component::ComponentHost;

/// The variable that makes a skip a failure.
const REQUIRE: &str = "SESSILE_REQUIRE_EXTERNAL";
const BUILD: &str = "cargo run --manifest-path samples/builder/Cargo.toml";

/// One host for all tests, as a process has one; it keeps compiled code from run to run.
static HOST: LazyLock<ComponentHost> = LazyLock::new(|| {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    ComponentHost::new(kept).unwrap()
});

pub(crate) fn host() -> &'static ComponentHost {
    &HOST
}

/// The guest `name`, if it is built.
pub(crate) fn guest(name: &str) -> Option<Bytes> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let guests = std::env::var_os("SESSILE_GUESTS").map_or_else(|| root.join("target/guests"), PathBuf::from);
    let file = guests.join(format!("{name}.wasm"));
    if let Ok(wasm) = std::fs::read(&file) {
        return Some(wasm.into());
    }
    let missing = format!("{} is not built; run `{BUILD} -- {name}`, then this test again", file.display());
    assert!(std::env::var_os(REQUIRE).is_none(), "{REQUIRE} is set, and {missing}");
    // Not by the macros, whose words nobody sees when a test passes.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {missing}");
    None
}
