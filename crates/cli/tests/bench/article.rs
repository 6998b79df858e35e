//! The article's scenarios on real nodes, as few repetitions as there can be: that they run, never how fast.

use crate::harness::Running;

#[test]
fn all_scenarios_are_measured_reported_and_compared() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let article =
        ["bench", "article", "--quick", "--repetitions", "5", "--fixed-delay", "0", "--report", "first"];
    let mut bench = Running::start(place.path(), article);
    assert_eq!(bench.ended(), Some(0), "{}{}", bench.out(), bench.err());
    let said = bench.out();
    let codes = ["SPL2", "SPS2", "DPL2", "DPS2", "DSS2", "DAS2", "DAL2", "pipelined-large", "local-small"];
    for words in
        codes.iter().chain(&["9249", "the article's findings; ", "other programs", "first/index.html"])
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    let read = |name: &str| std::fs::read_to_string(place.path().join("first").join(name)).expect(name);
    let report: serde_json::Value = serde_json::from_str(&read("report.json")).expect("JSON");
    let rows = report["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), 11);
    for row in rows {
        let figure = |name: &str| {
            row["figures"].as_array()?.iter().find(|figure| figure["name"] == name)?["value"].as_f64()
        };
        assert!(figure("response p50").is_some_and(|time| time > 0.0), "{row}");
        assert!(figure("request mean").is_some_and(|time| time > 0.0), "{row}");
        assert_eq!(figure("wrong answers"), Some(0.0), "{row}");
        let local = row["name"].as_str().is_some_and(|name| name.starts_with("local"));
        // A request carries its change at least, and its session at most.
        let bytes = figure("bytes/request");
        assert!(bytes.is_some_and(|bytes| (500.0..500_000.0).contains(&bytes)) != local, "{row}");
        assert_eq!(figure("replication mean").is_some(), !local, "{row}");
    }
    assert!(read("index.html").contains("<svg"));

    let mut compare = Running::start(place.path(), ["bench", "compare", "first", "first"]);
    assert_eq!(compare.ended(), Some(0), "{}", compare.err());
    assert!(compare.out().contains("response p50 ms") && compare.out().contains("1.00"), "{}", compare.out());
}

#[test]
fn an_unknown_scenario_is_an_error_that_lists_the_known_ones() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let mut bench = Running::start(place.path(), ["bench", "article", "--scenario", "XPS2"]);
    assert_eq!(bench.ended(), Some(2));
    assert!(bench.err().contains("there are SPL2, SPS2"), "{}", bench.err());
}
