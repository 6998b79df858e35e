//! Replays the kept inputs of a fuzz target: shared by the crates whose tests do so.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Passes every kept input of `target` to `body`. Fails without inputs, or if one makes `body` panic.
pub(crate) fn replay(target: &str, body: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let listed = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut inputs: Vec<PathBuf> = listed.map(|entry| entry.expect("it can be listed").path()).collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "{} is empty", folder.display());
    for input in inputs {
        let bytes = fs::read(&input).unwrap_or_else(|error| panic!("{}: {error}", input.display()));
        let survived = catch_unwind(AssertUnwindSafe(|| body(&bytes))).is_ok();
        assert!(survived, "{} made the target panic: see above", input.display());
    }
}
