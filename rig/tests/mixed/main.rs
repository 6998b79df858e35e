//! This version and a planted next one in one cluster of real processes on loopback, under load: what `sessile-rig
//! --scenario F33` does on hosts of their own, in small. `nodes` runs the processes.

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

/// What was seen of two nodes of today and one of the next version, and of one and two.
struct MixedResult {
    figures: Figures,
    /// Fields of the next version that it read back otherwise than it wrote them.
    wrong: Vec<String>,
    /// Frames that a node of today did not know.
    skipped: f64,
}

/// Runs both versions under load; nodes of today have this planted.
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

    // The next version comes to today's, which alone kept what it knew.
    nodes.kill(next)?;
    nodes.ready(old, 1)?;
    counts.write(nodes.at(old), false)?;
    nodes.restart(next, NEXT, 2)?;
    let mut wrong = counts.read_back(nodes.at(next))?;

    // Today's version comes to the next one, and then is alone with it.
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
fn both_versions_work_together_and_unknown_fields_survive_nodes_of_today() {
    let seen = mix(&[]).expect("the cluster runs");
    assert!(seen.figures.holds(), "{}: {:?}", seen.figures, seen.figures.broken);
    assert_eq!(seen.wrong, [""; 0]);
    assert!(seen.skipped > 0.0, "a node of today met frames that it does not know");
}

#[test]
fn a_node_of_today_that_drops_what_it_does_not_know_is_found_out() {
    let seen = mix(&["--plant", "unknown-field-dropped"]).expect("the cluster runs");
    assert!(!seen.wrong.is_empty(), "{}", seen.figures);
}
