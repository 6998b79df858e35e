//! `sessile bench balance`, quickly. Never a time: those depend on who else uses the machine.
#![cfg(unix)]

mod program;

use program::{run, scratch};

#[test]
fn this_balancer_is_measured_beside_those_that_are_installed() {
    measures(&[]);
}

#[test]
fn all_speak_tls_as_well() {
    measures(&["--tls"]);
}

fn measures(more: &[&str]) {
    let place = scratch([]);
    let usual = ["bench", "balance", "--quick", "--json", "--connections", "2", "--bytes", "200,70000"];
    let measured = run(&place, [&usual, more].concat());
    assert_eq!(measured.code, 0, "{}", measured.err);
    let report: serde_json::Value = serde_json::from_str(&measured.out).expect("JSON");
    assert_eq!(report["tls"], more.contains(&"--tls"));
    let cases = report["cases"].as_array().expect("a list");
    assert_eq!(
        cases.iter().map(|case| case["bytes"].as_u64()).collect::<Vec<_>>(),
        [Some(200), Some(70_000)]
    );
    for case in cases {
        let balancers = case["measured"].as_array().expect("a list");
        assert_eq!(balancers[0]["balancer"], "sessile");
        let speed = |of: &serde_json::Value| of["requests_per_second"].as_f64();
        assert!(balancers.iter().all(|of| speed(of).is_some_and(|speed| speed > 0.0)), "{report}");
    }
}
