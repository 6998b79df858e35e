//! Recorded histories: a good run is accepted, each planted violation is found.

use super::super::observation::Observation;
use super::*;

/// A good run: `a` is written three times, the second write got no answer at first; `b` once; the node is
/// killed.
const GOOD: &str = r#"
{"at_us":1,"seen":"acknowledged","sid":"K","name":"a","v":1,"node":"tc01","route":null,"before":null}
{"at_us":2,"seen":"acknowledged","sid":"K","name":"b","v":2,"node":"tc01","route":"tc01","before":"K"}
{"at_us":3,"seen":"killed","node":"tc01"}
{"at_us":4,"seen":"unknown","sid":"K","name":"a","v":3,"why":"the connection was closed"}
{"at_us":5,"seen":"acknowledged","sid":"K","name":"a","v":3,"node":"tc02","route":"tc01","before":"K"}
{"at_us":6,"seen":"acknowledged","sid":"K","name":"a","v":4,"node":"tc02","route":"tc02","before":"K"}
{"at_us":7,"seen":"unknown","sid":"K","name":"b","v":5,"why":"no answer in time"}
"#;

fn history(text: &str) -> CheckVerdict {
    let mut verdict = CheckVerdict::default();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let observation: Observation = serde_json::from_str(line).unwrap();
        verdict.note(&observation.seen);
    }
    verdict
}

/// Findings when `name` is read with version `v` after the good run.
fn after_good(name: &str, v: Option<u64>) -> Vec<CheckFinding> {
    let mut verdict = history(GOOD);
    let value = v.map(|v| payload::payload(v, size_of(v)));
    verdict.note(&read(name, v, value.as_deref()));
    verdict.findings
}

fn read(name: &str, v: Option<u64>, value: Option<&[u8]>) -> ObservationKind {
    ObservationKind::Read {
        sid: "K".into(),
        name: name.into(),
        node: "tc02".into(),
        v,
        len: value.map(|value| value.len() as u64),
        fnv: value.map(payload::fnv),
    }
}

fn place(name: &str) -> AttributeLocation {
    AttributeLocation { sid: "K".into(), name: name.into(), node: "tc02".into() }
}

#[test]
fn a_good_run_is_accepted() {
    let verdict = history(GOOD);
    assert_eq!((verdict.acknowledged, verdict.unknown, verdict.findings.len()), (4, 2, 0));
    assert_eq!(verdict.acknowledged_attributes().len(), 2);
    assert_eq!(after_good("a", Some(4)), []);
    assert_eq!(after_good("b", Some(2)), []);
}

#[test]
fn an_unanswered_write_may_have_happened() {
    assert_eq!(after_good("b", Some(5)), []);
}

#[test]
fn a_lost_write_is_found() {
    assert_eq!(
        after_good("a", Some(1)),
        [CheckFinding::Lost { place: place("a"), acknowledged: 4, read: Some(1) }]
    );
    assert_eq!(
        after_good("b", None),
        [CheckFinding::Lost { place: place("b"), acknowledged: 2, read: None }]
    );
    let said = after_good("a", Some(1))[0].to_string();
    assert_eq!(said, "lost: session K, attribute a: tc02 holds version 1, but 4 was acknowledged");
}

#[test]
fn a_repeated_write_that_comes_back_is_found() {
    let found = after_good("a", Some(3));
    assert_eq!(found, [CheckFinding::Doubled { place: place("a"), acknowledged: 4, read: 3 }]);
}

#[test]
fn a_foreign_value_is_found() {
    assert_eq!(after_good("a", Some(2)), [CheckFinding::Foreign { place: place("a"), read: 2 }]);
    assert_eq!(after_good("c", Some(1)), [CheckFinding::Foreign { place: place("c"), read: 1 }]);
}

#[test]
fn damaged_bytes_are_found() {
    let mut verdict = history(GOOD);
    let mut value = payload::payload(4, size_of(4));
    value[20] ^= 1;
    verdict.note(&read("a", Some(4), Some(&value)));
    assert_eq!(verdict.findings, [CheckFinding::Damaged { place: place("a"), read: 4 }]);
    // The same attribute on another node is the same finding.
    verdict.note(&read("a", Some(4), Some(&payload::payload(4, size_of(4) - 1))));
    assert_eq!((verdict.findings.len(), verdict.lost()), (1, 1));
}

#[test]
fn a_lost_session_is_found() {
    let line = r#"{"at_us":9,"seen":"acknowledged","sid":"L","name":"a","v":9,"node":"tc02","route":"tc01","before":"K"}"#;
    let verdict = history(&format!("{GOOD}{line}"));
    assert_eq!(verdict.findings.len(), 1);
    assert_eq!((verdict.lost(), verdict.doubled()), (1, 0));
}
