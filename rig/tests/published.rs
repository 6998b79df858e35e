//! What is planted stays out of everything that is published.

use std::fs;
use std::path::Path;

/// Only the crate that has the feature names it.
const HAS_IT: &str = "planted = []";

#[test]
fn nothing_that_is_published_can_be_planted_into() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let mut looked_at = 0;
    for folder in fs::read_dir(crates).expect("the crates").flatten() {
        let manifest = fs::read_to_string(folder.path().join("Cargo.toml")).expect("a manifest");
        looked_at += 1;
        let naming: Vec<_> = manifest.lines().filter(|line| line.contains("planted")).collect();
        assert!(naming.iter().all(|line| *line == HAS_IT), "{}: {naming:?}", folder.path().display());
    }
    assert!(looked_at > 5, "{looked_at} crates");
}
