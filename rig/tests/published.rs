//! Plants stay out of all published crates.

use std::fs;
use std::path::Path;

/// The only crate that may name the feature.
const HAS_IT: &str = "planted = []";

#[test]
fn no_published_crate_contains_plants() {
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
