//! Plants stay out of all published crates.

use std::fs;
use std::path::Path;

/// What a published crate may say of the feature: that it has it, and that it hands it on. Nothing turns it
/// on.
const ALLOWED: [&str; 3] =
    ["planted = []", "planted = [\"sessile-core/planted\"]", "planted = [\"sessile-node/planted\"]"];

#[test]
fn no_published_crate_contains_plants() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let mut looked_at = 0;
    for folder in fs::read_dir(crates).expect("the crates").flatten() {
        let manifest = fs::read_to_string(folder.path().join("Cargo.toml")).expect("a manifest");
        looked_at += 1;
        let naming: Vec<_> = manifest.lines().filter(|line| line.contains("planted")).collect();
        assert!(naming.iter().all(|line| ALLOWED.contains(line)), "{}: {naming:?}", folder.path().display());
    }
    assert!(looked_at > 5, "{looked_at} crates");
}
