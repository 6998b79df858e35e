//! The current and the planted next version in one cluster of real processes on loopback, under load: a small
//! version of `sessile-rig --scenario F33`. `nodes` runs the processes.

mod nodes;

#[allow(dead_code, reason = "the rig uses more of it")]
#[path = "../../src/commit_counts.rs"]
mod commit_counts;
#[allow(dead_code, reason = "the rig uses more of it")]
#[path = "../../src/drill_process.rs"]
mod drill_process;
#[allow(dead_code, reason = "the rig uses more of it")]
#[path = "../../src/figures.rs"]
mod figures;
#[allow(dead_code, reason = "the rig uses more of it")]
#[path = "../../src/http_request.rs"]
mod http_request;

use anyhow::Result;

use commit_counts::CommitCounts;
use figures::Figures;
use nodes::Nodes;

/// A node of the next version.
const NEXT: &[&str] = &["--next", "--watches", "100"];

/// Result of mixing two current nodes with one next node, and one with two.
struct MixedResult {
    figures: Figures,
    /// Fields of the next version that were read back wrong.
    wrong: Vec<String>,
    /// Frames unknown to a current node.
    skipped: f64,
}

/// Runs both versions under load; current nodes have this plant.
fn mix(today: &[&str]) -> Result<MixedResult> {
    let (old, other, next) = (0, 1, 2);
    let mut nodes = Nodes::new(3)?;
    nodes.start(old, today)?;
    nodes.start(other, today)?;
    nodes.start(next, NEXT)?;
    (0..3).try_for_each(|node| nodes.ready(node, 2))?;
    nodes.load()?;
    let mut counts = CommitCounts::open(nodes.at(next))?;
    counts.write(nodes.at(old), false)?;
    counts.write(nodes.at(next), true)?;

    // A next node joins current nodes, which alone kept its data.
    nodes.kill(next)?;
    nodes.ready(old, 1)?;
    counts.write(nodes.at(old), false)?;
    nodes.restart(next, NEXT, 2)?;
    let mut wrong = counts.read_back(nodes.at(next))?;

    // A current node joins a next node, and then becomes the only node.
    nodes.kill(other)?;
    nodes.restart(other, NEXT, 2)?;
    nodes.kill(old)?;
    nodes.restart(old, today, 2)?;
    counts.write(nodes.at(other), true)?;
    let skipped = nodes.metric(old, "sessile_frames_skipped_total")?;
    nodes.kill(next)?;
    nodes.kill(other)?;
    nodes.ready(old, 0)?;
    counts.write(nodes.at(old), false)?;
    nodes.restart(next, NEXT, 1)?;
    nodes.restart(other, NEXT, 2)?;
    for node in [next, other] {
        wrong.extend(counts.read_back(nodes.at(node))?);
    }
    Ok(MixedResult { figures: nodes.judged()?, wrong, skipped })
}

#[test]
fn both_versions_interoperate_and_unknown_fields_survive_current_nodes() {
    let seen = mix(&[]).expect("the cluster runs");
    assert!(seen.figures.holds(), "{}: {:?}", seen.figures, seen.figures.broken);
    assert_eq!(seen.wrong, [""; 0]);
    assert!(seen.skipped > 0.0, "a current node received unknown frames");
}

#[test]
fn a_current_node_that_drops_unknown_fields_is_found() {
    let seen = mix(&["--plant", "unknown-field-dropped"]).expect("the cluster runs");
    assert!(!seen.wrong.is_empty(), "{}", seen.figures);
}
