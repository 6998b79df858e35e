//! `sessile bench store`, quickly.

mod program;

use program::{run, scratch};

#[test]
fn every_embedded_store_is_measured_and_no_files_remain() {
    let place = scratch([]);
    let measured = run(&place, ["bench", "store", "--quick", "--json", "--report", "it"]);
    assert_eq!(measured.code, 0, "{}", measured.err);
    let report: serde_json::Value = serde_json::from_str(&measured.out).expect("JSON");
    let stores = report["stores"].as_array().expect("a list");
    let names: Vec<_> = stores.iter().map(|store| store["store"].as_str().expect("a name")).collect();
    assert_eq!(names, ["file", "file, encrypted", "redb"]);
    for figure in ["saves_per_second", "medium_per_second", "loads_per_second", "open_and_scan_ms"] {
        assert!(
            stores.iter().all(|store| store[figure].as_f64().is_some_and(|value| value > 0.0)),
            "{figure}"
        );
    }
    assert!(report["write_behind"]["ratio"].as_f64().is_some_and(|ratio| ratio > 0.0), "{report}");
    let page = std::fs::read_to_string(place.path().join("it/index.html")).expect("a page");
    assert!(page.contains("write-behind") && page.contains("<svg"), "{page}");
    assert_eq!(
        std::fs::read_dir(place.path()).expect("a folder").count(),
        1,
        "the report is all that is left"
    );
}
