//! `sessile bench`: every measurement of load starts real nodes, tells what its report promises, and writes
//! that into a folder. Never how fast.

mod program;

use std::collections::BTreeSet;

use program::{run, scratch};
use serde_json::Value;
use tempfile::TempDir;

/// The report of a measurement as its JSON.
fn report(arguments: &[&str]) -> Value {
    let place = scratch([]);
    let told = reported(&place, "it", arguments);
    assert_eq!(std::fs::read_dir(&place).expect("a folder").count(), 1, "the report is all that is left");
    told
}

/// The same, leaving its folder there.
fn reported(place: &TempDir, folder: &str, arguments: &[&str]) -> Value {
    let mut all = vec!["bench"];
    all.extend(arguments);
    all.extend(["--quick", "--json", "--report", folder]);
    let done = run(place, &all);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.err.contains("index.html"), "{}", done.err);
    let told: Value = serde_json::from_str(&done.out).expect(&done.out);
    let read = |name| std::fs::read_to_string(place.path().join(folder).join(name)).expect(name);
    let parsed = |name| serde_json::from_str::<Value>(&read(name)).expect(name);
    assert_eq!(parsed("findings.json"), told);
    let report = parsed("report.json");
    assert_eq!(report["title"], arguments[0]);
    let rows = report["rows"].as_array().expect("rows");
    let names: BTreeSet<_> = rows.iter().map(|row| row["name"].as_str().expect("a name")).collect();
    assert!(!rows.is_empty() && names.len() == rows.len(), "rows are told apart by their names: {report}");
    let page = read("index.html");
    // Ratios are a table: some bars are floors and some are ceilings.
    assert_eq!(page.contains("<svg"), arguments[0] != "ratios", "{page}");
    assert!(!page.contains("could not be drawn") && !page.contains("http"), "{page}");
    assert!(page.contains("measured with --quick"), "{page}");
    told
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn closed_loop_load_reports_latencies_and_costs_and_compares_two_reports() {
    let place = scratch([]);
    let told = reported(&place, "a", &["load", "--connections", "3,1"]);
    let runs = told["runs"].as_array().expect("runs");
    assert_eq!(runs.iter().map(|run| number(&run["connections"])).collect::<Vec<_>>(), [1.0, 3.0]);
    for run in runs {
        assert_eq!(run["failed"], 0, "{told}");
        assert!(number(&run["requests_per_second"]) > 0.0);
        assert!(number(&run["latency"]["p99_us"]) >= number(&run["latency"]["p50_us"]));
        // Each write of 1 KB travels to one other node.
        assert!(number(&run["cost"]["frames"]) >= 1.0, "{told}");
        assert!((1_024.0..2_048.0).contains(&number(&run["cost"]["wire_bytes"])), "{told}");
    }
    let again = run(&place, ["bench", "load", "--quick", "--report", "a"]);
    assert_eq!((again.code, again.out.as_str()), (1, ""), "it is refused before anything is measured");
    assert!(again.err.contains("name another folder"), "{}", again.err);

    reported(&place, "b", &["load", "--connections", "3"]);
    let compared = run(&place, ["bench", "compare", "a", "b"]);
    assert_eq!(compared.code, 0, "{}", compared.err);
    let figures =
        ["\n3 connections ", "latency p99 ms ", "bytes for a write B ", "only in A: 1 connection\n"];
    for words in figures {
        assert!(compared.out.contains(words), "{words}: {}", compared.out);
    }
}

#[test]
fn open_loop_load_sends_the_intended_requests() {
    let told = report(&["load", "--connections", "2", "--rate", "50", "--manager", "local"]);
    // 50 a second for 0.2 s; a slow machine leaves some of them unsent, and says so.
    let run = &told["runs"][0];
    let sent = number(&run["latency"]["count"]) + number(&run["failed"]) + number(&run["never_sent"]);
    assert!((1.0..=11.0).contains(&sent), "{told}");
    assert!(number(&run["cost"]["wire_bytes"]) < 1.0, "nothing is replicated: {told}");
}

#[test]
fn lag_reads_each_write_on_the_other_node() {
    let told = report(&["lag"]);
    assert_eq!(told["seen_after_sending"]["count"], 20);
    assert!(number(&told["look"]["count"]) >= 20.0);
}

#[cfg(unix)]
#[test]
fn failover_loses_no_acknowledged_write() {
    let told = report(&["failover"]);
    let rounds = told["rounds"].as_array().expect("rounds");
    assert_eq!(rounds.len(), 2);
    for round in rounds {
        assert!(number(&round["acknowledged"]) > 0.0, "{round}");
        assert_eq!(round["lost"], 0, "{round}");
        assert!(number(&round["first_good_ms"]) > 0.0, "{round}");
        // The clients wrote at the first node, and went on at the other one.
        let series = round["series"].as_array().expect("a series");
        let written = |early: bool| -> f64 {
            let bins = series.iter().filter(|bin| (number(&bin["from_ms"]) < 0.0) == early);
            bins.map(|bin| number(&bin["count"])).sum()
        };
        assert!(written(true) > 0.0 && written(false) > 0.0, "{round}");
    }
}

#[test]
fn join_transfers_all_sessions() {
    let told = report(&["join"]);
    // Those that were made, and one of each client.
    assert_eq!(told["sessions"], 304, "{told}");
    assert!(number(&told["wire_bytes"]) > 304.0 * 1_024.0, "{told}");
    assert!(number(&told["before"]["count"]) > 0.0, "{told}");
    let series = told["series"].as_array().expect("a series");
    let ends = [&series[0], &series[series.len() - 1]].map(|bin| number(&bin["from_ms"]));
    assert!(ends[0] < 0.0 && ends[1] > 0.0, "{told}");
}

#[test]
fn deploy_measures_until_every_node_runs_the_archive() {
    let told = report(&["deploy", "--nodes", "3", "--times", "2"]);
    let row = &told["rows"][0];
    assert_eq!((&told["megabytes"], &row["nodes"]), (&1.into(), &3.into()), "{told}");
    let [fastest, median, slowest] = ["fastest", "median", "slowest"].map(|name| number(&row[name]));
    assert!(fastest > 0.0 && fastest <= median && median <= slowest, "{told}");
    let parts = ["prepared", "carried", "switched"].map(|name| number(&row["parts"][name]));
    let sum: f64 = parts.iter().sum();
    assert!(sum > 0.0 && sum <= median, "the parts of the median: {told}");
    assert!(
        told["payload"].as_str().is_some_and(|words| words.contains("no component is compiled")),
        "{told}"
    );
}

#[test]
fn scale_counts_a_message_for_each_further_node() {
    let told = report(&["scale", "--nodes", "3"]);
    let bytes: Vec<_> = [0, 1].map(|row| number(&told["clusters"][row]["cost"]["wire_bytes"])).to_vec();
    assert!(bytes[1] > bytes[0] * 1.5, "{told}");
}

#[cfg(target_os = "linux")]
#[test]
fn memory_counts_a_copy_for_each_session() {
    let told = report(&["memory"]);
    for size in told["sizes"].as_array().expect("sizes") {
        assert_eq!(size["sessions"], 500);
        assert!(number(&size["copy_bytes"]) > number(&size["content_bytes"]) / 2.0, "{size}");
    }
}

#[test]
fn ratios_have_a_verdict_or_are_marked_unmeasured() {
    let told = report(&["ratios"]);
    let ratios = told["ratios"].as_array().expect("ratios");
    for name in ["R1", "R2", "R3", "R4", "R6"] {
        assert!(ratios.iter().any(|ratio| ratio["name"].as_str().unwrap_or("").starts_with(name)), "{told}");
    }
    for ratio in ratios {
        assert_eq!(ratio["value"].is_null(), ratio["grade"].is_null(), "{ratio}");
    }
}

#[test]
fn wrong_arguments_are_usage_errors() {
    for (arguments, remedy) in [
        (["bench", "load", "--mode", "telepathic"], "pipelined, async"),
        (["bench", "load", "--url", "nowhere"], "localhost:8080"),
        (["bench", "lag", "--manager", "local"], "shows nothing"),
    ] {
        let done = run(&scratch([]), arguments);
        assert_eq!(done.code, 2, "{}", done.err);
        assert!(done.err.contains(remedy), "{}", done.err);
    }
}
